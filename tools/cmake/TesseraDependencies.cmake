# Every library the build needs, found once.
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(hwy REQUIRED)
find_package(yaml-cpp REQUIRED)
add_library(tessera_yaml INTERFACE)
add_library(tessera::yaml ALIAS tessera_yaml)
if(TARGET yaml-cpp::yaml-cpp)
  target_link_libraries(tessera_yaml INTERFACE yaml-cpp::yaml-cpp)
else()  # before 0.8 the target has no namespace
  target_link_libraries(tessera_yaml INTERFACE yaml-cpp)
endif()

# The static library where there is one: it needs zlib and libaec alone, while Debian's shared one
# loads some thirty libraries (curl, Kerberos) at every start and all of them would have to be unpacked
# on a machine without root.
find_path(TESSERA_HDF5_INCLUDE hdf5.h PATH_SUFFIXES hdf5/serial)
find_library(TESSERA_HDF5_STATIC libhdf5_serial.a)
find_library(TESSERA_SZ_STATIC libsz.a)
find_library(TESSERA_AEC_STATIC libaec.a)
mark_as_advanced(TESSERA_HDF5_INCLUDE TESSERA_HDF5_STATIC TESSERA_SZ_STATIC TESSERA_AEC_STATIC)
add_library(tessera_hdf5 INTERFACE)
add_library(tessera::hdf5 ALIAS tessera_hdf5)
if(TESSERA_HDF5_INCLUDE AND TESSERA_HDF5_STATIC AND TESSERA_SZ_STATIC AND TESSERA_AEC_STATIC)
  target_include_directories(tessera_hdf5 SYSTEM INTERFACE ${TESSERA_HDF5_INCLUDE})
  target_link_libraries(tessera_hdf5 INTERFACE ${TESSERA_HDF5_STATIC} ${TESSERA_SZ_STATIC}
                        ${TESSERA_AEC_STATIC} ZLIB::ZLIB Threads::Threads ${CMAKE_DL_LIBS} m)
else()
  find_package(HDF5 REQUIRED COMPONENTS C)
  target_include_directories(tessera_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
  target_link_libraries(tessera_hdf5 INTERFACE ${HDF5_C_LIBRARIES})
endif()
