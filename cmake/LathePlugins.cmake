# Plugins of passes (docs/writing-a-pass.md) and the programs that load them.
set(LATHE_PLUGIN_SYMBOLS ${CMAKE_CURRENT_LIST_DIR}/plugin_symbols.txt)

# lathe_pass_plugin(<name> SOURCES ...): the shared library <name>.so. It is compiled with Lathe's headers and takes
# Lathe's code from the program that loads it.
function(lathe_pass_plugin name)
  cmake_parse_arguments(arg "" "" "SOURCES" ${ARGN})
  add_library(${name} MODULE ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES PREFIX "" CXX_VISIBILITY_PRESET default)
  target_include_directories(${name} PRIVATE $<TARGET_PROPERTY:Lathe::passes,INTERFACE_INCLUDE_DIRECTORIES>)
  target_compile_features(${name} PRIVATE cxx_std_20)
  target_link_libraries(${name} PRIVATE absl::flat_hash_map absl::statusor fmt::fmt)
endfunction()

# lathe_plugin_host(<program>): all of what plugins may use becomes part of the program, which shows it to them.
function(lathe_plugin_host program)
  set(libraries "")
  foreach(library IN ITEMS support ir ir_schema eval quant quant_config passes)
    set(target Lathe::${library})
    get_target_property(aliased ${target} ALIASED_TARGET)
    if(aliased)
      set(target ${aliased})
    endif()
    list(APPEND libraries ${target})
  endforeach()
  list(JOIN libraries "," whole)
  target_link_libraries(${program} PRIVATE $<LINK_LIBRARY:WHOLE_ARCHIVE,${whole}> ${CMAKE_DL_LIBS})
  # The same libraries come a second time, by way of those that need them.
  set_property(TARGET ${program} PROPERTY LINK_LIBRARY_OVERRIDE "WHOLE_ARCHIVE,${whole}")
  target_link_options(${program} PRIVATE LINKER:--dynamic-list=${LATHE_PLUGIN_SYMBOLS})
  set_property(TARGET ${program} APPEND PROPERTY LINK_DEPENDS ${LATHE_PLUGIN_SYMBOLS})
endfunction()
