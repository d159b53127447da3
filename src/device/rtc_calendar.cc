#include "device/rtc_calendar.h"

namespace pollux::device {

// Years begin in March here, so that the leap day is a year's last.
Date date_of(u64 unix_seconds) {
  const u64 days = unix_seconds / 86400;
  const u64 second = unix_seconds % 86400;
  const u64 shifted = days + 719468;  // since 0000-03-01
  const u64 era = shifted / 146097, day_of_era = shifted % 146097;
  const u64 year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const u64 day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const u64 month_from_march = (5 * day_of_year + 2) / 153;
  Date date;
  date.day = u32(day_of_year - (153 * month_from_march + 2) / 5 + 1);
  date.month = u32(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  date.year = u32(year_of_era + era * 400 + (date.month <= 2));
  date.hour = u32(second / 3600);
  date.minute = u32(second / 60 % 60);
  date.second = u32(second % 60);
  date.weekday = u32((days + 4) % 7 + 1);
  return date;
}

u64 seconds_of(const Date& date) {
  const u64 month = date.month == 0 ? 1 : date.month;
  const u64 year = date.year + (month - 1) / 12 - ((month - 1) % 12 < 2);
  const u64 month_from_march = ((month - 1) % 12 + 10) % 12;
  const u64 era = year / 400, year_of_era = year % 400;
  const u64 day_of_year = (153 * month_from_march + 2) / 5 + (date.day == 0 ? 1 : date.day) - 1;
  const u64 day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  const u64 since_march_0 = era * 146097 + day_of_era;
  if (date.year < 1970 || since_march_0 < 719468) return 0;
  return (since_march_0 - 719468) * 86400 + date.hour * 3600 + date.minute * 60 + date.second;
}

}  // namespace pollux::device
