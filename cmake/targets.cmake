# What is made from the layers: liblochan.a, liblochan.so, the command, the examples, the benchmarks, and installation.
include(GNUInstallDirs)

# Both libraries hold the objects of every layer, so that each can be linked alone. Only functions marked LOCHAN_API are
# visible in the shared one (hidden is the default, see CMakeLists.txt).
set(objects "")
set(libraries "")
foreach(layer ${LOCHAN_LAYERS})
  if(TARGET lochan_${layer})
    list(APPEND objects $<TARGET_OBJECTS:lochan_${layer}>)
    list(APPEND libraries ${${layer}_DEPS})
  endif()
endforeach()
list(REMOVE_DUPLICATES libraries)
if(NOT objects)
  return()
endif()

add_library(lochan_static STATIC ${objects})
add_library(lochan_shared SHARED ${objects})
set_target_properties(lochan_shared PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
if(NOT LOCHAN_SANITIZE)
  target_link_options(lochan_shared PRIVATE LINKER:--no-undefined)
endif()
foreach(target lochan_static lochan_shared)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME lochan LINKER_LANGUAGE C)
  target_include_directories(${target} PUBLIC include)
  target_link_libraries(${target} PRIVATE ${libraries})
endforeach()

# The command sees the public headers and its own folder, nothing else of src/: build/<preset>/cli-include/cli leads to
# src/cli, so that "cli/x.h" is found and "base/x.h" is not. It links the static library and runs from wherever it lies.
file(GLOB cli_sources CONFIGURE_DEPENDS src/cli/*.c)
if(cli_sources)
  file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/cli-include)
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/src/cli ${PROJECT_BINARY_DIR}/cli-include/cli SYMBOLIC)
  add_executable(lochan ${cli_sources})
  target_include_directories(lochan PRIVATE ${PROJECT_BINARY_DIR}/cli-include)
  target_link_libraries(lochan PRIVATE lochan_static)
  install(TARGETS lochan)
endif()

# Examples stand for a program of a user: public headers, shared library.
file(GLOB example_sources CONFIGURE_DEPENDS examples/*.c)
set(LOCHAN_EXAMPLES "")
foreach(source ${example_sources})
  get_filename_component(name ${source} NAME_WE)
  add_executable(example_${name} ${source})
  set_target_properties(example_${name} PROPERTIES OUTPUT_NAME ${name}
                                                   RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/examples)
  target_link_libraries(example_${name} PRIVATE lochan_shared)
  list(APPEND LOCHAN_EXAMPLES ${name})
endforeach()

# Benchmarks may look inside.
file(GLOB bench_sources CONFIGURE_DEPENDS bench/*.c)
foreach(source ${bench_sources})
  get_filename_component(name ${source} NAME_WE)
  add_executable(bench_${name} ${source})
  set_target_properties(bench_${name} PROPERTIES OUTPUT_NAME ${name}
                                                 RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
  target_link_libraries(bench_${name} PRIVATE ${LOCHAN_LAYER_TARGETS})
endforeach()

set(LOCHAN_PC_REQUIRES "libcurl sqlite3 libfyaml libzstd liblz4 libbrotlienc libbrotlidec libdeflate libxxhash libmicrohttpd simdjson")
configure_file(cmake/lochan.pc.in lochan.pc @ONLY)
install(TARGETS lochan_static lochan_shared)
install(DIRECTORY include/lochan DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${PROJECT_BINARY_DIR}/lochan.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(GLOB man_pages CONFIGURE_DEPENDS docs/man/*.1)
if(man_pages)
  install(FILES ${man_pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
