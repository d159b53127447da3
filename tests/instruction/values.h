// Random operands in which the interesting values are frequent: limits, powers of two, denormals, infinities, NaNs,
// encodings that no arithmetic makes.
#pragma once

#include "base/random.h"
#include "case.h"

namespace pollux::test {

u64 random_integer(Random& random);
u32 random_single(Random& random);
u64 random_double(Random& random);
Fx::Register random_extended(Random& random);  // 80 bits
// 16 bytes as integers, singles or doubles.
Fx::Register random_vector(Random& random);
// Bytes of any of these kinds.
void random_memory(Random& random, u8* to, std::size_t size);

}  // namespace pollux::test
