#pragma once

// The system's header, with dlopen of cuBLAS answered by the stand-in of cublas.cpp beside it.
#include_next <dlfcn.h>

namespace simt {
void* open_library(const char* name, int flags);
void* find_symbol(void* library, const char* name);
const char* library_error();
/// Until changed back, no cuBLAS can be opened.
void set_cublas_missing(bool missing);
}  // namespace simt

#define dlopen(name, flags) ::simt::open_library(name, flags)
#define dlsym(library, name) ::simt::find_symbol(library, name)
#define dlerror() ::simt::library_error()
