# Compiles specs/**/*.yaml into the update layer (src/update/bundled.h). Included by CMakeLists.txt it declares how the
# generated file is made; run as a script (cmake -P) it makes it. Uses CMake only, so that a build needs no Python.

if(CMAKE_SCRIPT_MODE_FILE)
  # Given: SPECS (folder), OUTPUT (file). The list is read again here, and sorted by path.
  file(GLOB_RECURSE paths RELATIVE ${SPECS} ${SPECS}/*.yaml)
  list(SORT paths)
  set(texts "")
  set(entries "")
  set(count 0)
  foreach(path ${paths})
    file(READ ${SPECS}/${path} hex HEX)
    string(LENGTH "${hex}" size)
    math(EXPR size "${size} / 2")
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
    string(APPEND texts "static const unsigned char text_${count}[] = {${bytes}0};\n")
    string(APPEND entries "    {\"${path}\", (const char *)text_${count}, ${size}},\n")
    math(EXPR count "${count} + 1")
  endforeach()
  file(WRITE ${OUTPUT} "/* Generated from specs/ by cmake/specs.cmake. */\n#include \"update/bundled.h\"\n\n${texts}
const lochan_bundled lochan_bundled__specs[] = {\n${entries}    {NULL, NULL, 0},\n};
const size_t lochan_bundled__count = ${count};\n")
  return()
endif()

set(generated ${PROJECT_BINARY_DIR}/lochan_specs.c)
file(GLOB_RECURSE specs CONFIGURE_DEPENDS specs/*.yaml)
# The list of names is a file of its own: it changes when a spec is removed, which no time stamp would tell.
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/lochan_specs.txt CONTENT "${specs}\n")
add_custom_command(
  OUTPUT ${generated}
  COMMAND ${CMAKE_COMMAND} -DSPECS=${PROJECT_SOURCE_DIR}/specs -DOUTPUT=${generated} -P ${CMAKE_CURRENT_LIST_FILE}
  DEPENDS ${specs} ${PROJECT_BINARY_DIR}/lochan_specs.txt ${CMAKE_CURRENT_LIST_FILE}
  VERBATIM)
set(LOCHAN_GENERATED_update ${generated})
