// The power series of the transcendental functions on Wide numbers, without special cases: see x87_transcendental.h.
#pragma once

#include "cpu/interpret/x87_wide.h"

namespace pollux::cpu::interpret::x87 {

// x = n * pi/2 + remainder, |remainder| <= pi/4; quadrant is n modulo 4. |x| < 2^63, not zero.
struct Reduced {
  Wide remainder;
  unsigned quadrant;
};
Reduced reduce_by_half_pi(const Wide& x);

// |x| <= pi/4, x not zero. Never exactly 1 or x: a result that rounds there still shows on which side it is.
Wide sine(const Wide& x);
Wide cosine(const Wide& x);
Wide tangent(const Wide& x);

// The angle of the point (x, y), both positive: in (0, pi/2).
Wide angle(const Wide& y, const Wide& x);
Wide pi();
Wide half_pi();

Wide exp2_minus_1(const Wide& x);   // |x| < 1, not zero
Wide log2(const Wide& x);           // x > 0
Wide log2_of_1_plus(const Wide& x); // |x| < 1/2

}  // namespace pollux::cpu::interpret::x87
