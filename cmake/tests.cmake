# The test suite, run by ctest. Written as conventions, so that a new test is a new file and nothing else:
#   tests/<layer>/test_<file>.c   a cmocka program that links that layer and those above it
#   tests/<folder>/<file>.c       linked into every program of the folder
#   tests/<other>/test_<file>.c   a cmocka program that links every layer and may run the command
#   tests/examples/<name>.sh      runs examples/<name>.c (without it the example is run as it is)
#   tests/tools/test_*.py, *.sh   tests of the scripts in tools/ and of the installed package
#   fuzz/<target>.c               replayed over fuzz/corpus/<target>/
# Every test finds the command in $LOCHAN_BIN.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
find_program(PYTHON python3)

set(test_environment LOCHAN_BIN=${PROJECT_BINARY_DIR}/lochan LOCHAN_SOURCE_DIR=${PROJECT_SOURCE_DIR}
                     LOCHAN_BINARY_DIR=${PROJECT_BINARY_DIR} LOCHAN_SANITIZE=${LOCHAN_SANITIZE})

function(lochan_add_test name label)
  add_test(NAME ${name} COMMAND ${ARGN})
  set_tests_properties(${name} PROPERTIES TIMEOUT 900 LABELS ${label} ENVIRONMENT "${test_environment}")
endfunction()

file(GLOB support_sources CONFIGURE_DEPENDS tests/support/*.c)
if(support_sources AND TARGET lochan_base)
  add_library(lochan_test_support STATIC ${support_sources})
  target_include_directories(lochan_test_support PUBLIC tests)
  target_link_libraries(lochan_test_support PUBLIC lochan_base PkgConfig::CMOCKA)
endif()

# Programs of tests/<folder>/, linking the libraries named after it.
function(lochan_add_cmocka_tests folder)
  file(GLOB sources CONFIGURE_DEPENDS tests/${folder}/test_*.c)
  file(GLOB shared CONFIGURE_DEPENDS tests/${folder}/*.c)
  list(FILTER shared EXCLUDE REGEX "/test_[^/]*$")
  foreach(source ${sources})
    get_filename_component(name ${source} NAME_WE)
    set(target ${folder}_${name})
    add_executable(${target} ${source} ${shared})
    target_include_directories(${target} PRIVATE tests)
    if(TARGET lochan_test_support)
      target_link_libraries(${target} PRIVATE lochan_test_support)
    endif()
    target_link_libraries(${target} PRIVATE ${ARGN} PkgConfig::CMOCKA)
    target_compile_options(${target} PRIVATE -Wno-unused-parameter) # of cmocka's `void **state`
    target_compile_definitions(${target} PRIVATE LOCHAN_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                                 LOCHAN_BINARY_DIR="${PROJECT_BINARY_DIR}")
    lochan_add_test(${folder}/${name} ${folder} ${LOCHAN_TEST_LAUNCHER} $<TARGET_FILE:${target}>)
  endforeach()
endfunction()

file(GLOB folders RELATIVE ${PROJECT_SOURCE_DIR}/tests CONFIGURE_DEPENDS tests/*)
foreach(folder ${folders})
  if(TARGET lochan_${folder})
    lochan_add_cmocka_tests(${folder} lochan_${folder})
  elseif(NOT folder IN_LIST LOCHAN_LAYERS AND IS_DIRECTORY ${PROJECT_SOURCE_DIR}/tests/${folder})
    lochan_add_cmocka_tests(${folder} ${LOCHAN_LAYER_TARGETS})
  endif()
endforeach()

foreach(name ${LOCHAN_EXAMPLES})
  set(script ${PROJECT_SOURCE_DIR}/tests/examples/${name}.sh)
  if(EXISTS ${script})
    lochan_add_test(examples/${name} examples sh ${script} $<TARGET_FILE:example_${name}>)
  else()
    lochan_add_test(examples/${name} examples $<TARGET_FILE:example_${name}>)
  endif()
endforeach()

# The rules of the house that are cheap to check (format is left to `make check`), and the scripts themselves.
foreach(rules layers rules headers)
  lochan_add_test(check/${rules} check ${PYTHON} ${PROJECT_SOURCE_DIR}/tools/check --only ${rules})
endforeach()
lochan_add_test(check/exports check sh ${PROJECT_SOURCE_DIR}/tools/exports $<TARGET_FILE:lochan_shared>)
file(GLOB scripts CONFIGURE_DEPENDS tests/tools/test_*.py tests/tools/test_*.sh)
foreach(script ${scripts})
  get_filename_component(name ${script} NAME_WE)
  if(script MATCHES "[.]py$")
    lochan_add_test(tools/${name} tools ${PYTHON} -B ${script})
  else()
    lochan_add_test(tools/${name} tools sh ${script})
  endif()
endforeach()

# Fuzz targets: libFuzzer drives them in the preset fuzz, fuzz/driver.c replays the corpus in every other.
file(GLOB fuzz_sources CONFIGURE_DEPENDS fuzz/*.c)
list(REMOVE_ITEM fuzz_sources ${PROJECT_SOURCE_DIR}/fuzz/driver.c)
foreach(source ${fuzz_sources})
  get_filename_component(name ${source} NAME_WE)
  set(corpus ${PROJECT_SOURCE_DIR}/fuzz/corpus/${name})
  add_executable(fuzz_${name} ${source})
  target_link_libraries(fuzz_${name} PRIVATE ${LOCHAN_LAYER_TARGETS})
  if(LOCHAN_FUZZ)
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    lochan_add_test(fuzz/${name} fuzz $<TARGET_FILE:fuzz_${name}> -runs=0 ${corpus})
  else()
    target_sources(fuzz_${name} PRIVATE fuzz/driver.c)
    lochan_add_test(fuzz/${name} fuzz ${LOCHAN_TEST_LAUNCHER} $<TARGET_FILE:fuzz_${name}> ${corpus})
  endif()
endforeach()
