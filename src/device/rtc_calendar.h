// Dates of the proleptic Gregorian calendar, from and to seconds since 1970 UTC. Exact for every year that a PC clock
// can show (0000 to 9999 after 1970).
// Source: Howard Hinnant, "chrono-compatible low-level date algorithms" (days from civil, civil from days).
#pragma once

#include "base/integers.h"

namespace pollux::device {

struct Date {
  u32 year = 1970, month = 1, day = 1;  // month, day from 1
  u32 hour = 0, minute = 0, second = 0;
  u32 weekday = 5;  // 1 is Sunday
  bool operator==(const Date&) const = default;
};

Date date_of(u64 unix_seconds);
// weekday is ignored; fields out of range carry over. Dates before 1970 give 0.
u64 seconds_of(const Date& date);

}  // namespace pollux::device
