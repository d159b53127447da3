#include "api/report.h"

#include <cstdio>

#include <nlohmann/json.hpp>

namespace pollux::api {

namespace {

std::string hex(u64 value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

}  // namespace

ExitCode exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUsage: return ExitCode::kUsage;
    case ErrorKind::kEnvironment: return ExitCode::kEnvironment;
    case ErrorKind::kFormat: return ExitCode::kFormat;
    case ErrorKind::kDivergence: return ExitCode::kDivergence;
  }
  return ExitCode::kEnvironment;
}

std::string Report::line() const {
  return "pollux: " + why + " at position " + std::to_string(position) + ", digest " + hex(digest);
}

std::string Report::json() const {
  nlohmann::ordered_json out;
  out["why"] = why;
  out["exit"] = static_cast<int>(code);
  out["position"] = position;
  out["digest"] = hex(digest);
  for (const auto& [name, value] : counters) {
    nlohmann::ordered_json* at = &out;
    std::size_t start = 0;
    for (std::size_t dot; (dot = name.find('.', start)) != std::string::npos; start = dot + 1) {
      at = &(*at)[name.substr(start, dot - start)];
    }
    (*at)[name.substr(start)] = value;
  }
  return out.dump();
}

}  // namespace pollux::api
