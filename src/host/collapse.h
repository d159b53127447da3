// Pages that are there already become huge ones: since Linux 6.1, which may be newer than the headers.
#pragma once

#include <sys/mman.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
