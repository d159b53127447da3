#include "session/divergence.h"

#include <algorithm>

namespace pollux::session {
namespace {

constexpr std::size_t kShownDigits = 64;

std::string first_different_field(machine::Machine& one, machine::Machine& other) {
  ListVisitor lines_one;
  ListVisitor lines_other;
  one.visit(lines_one);
  other.visit(lines_other);
  const auto& a = lines_one.lines();
  const auto& b = lines_other.lines();
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (a[i] == b[i]) continue;
    if (a[i].first != b[i].first) return "one has " + a[i].first + " where the other has " + b[i].first;
    const auto [at, unused] = std::ranges::mismatch(a[i].second, b[i].second);
    const auto digit = std::size_t(at - a[i].second.begin()) / 2 * 2;
    const auto shown = [&](const std::string& value) {
      return digit < value.size() ? value.substr(digit, kShownDigits) : std::string("shorter");
    };
    const std::string where = digit > 0 ? " at byte " + std::to_string(digit / 2) : "";
    return a[i].first + where + " is " + shown(a[i].second) + " in one and " + shown(b[i].second) + " in the other";
  }
  return a.size() == b.size() ? "" : "one has more fields than the other";
}

}  // namespace

std::string first_difference(machine::Machine& one, machine::Machine& other) {
  const auto a = one.component_digests();
  const auto b = other.component_digests();
  std::string component;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()) && component.empty(); ++i)
    if (a[i] != b[i]) component = a[i].first;
  if (component.empty() && a.size() == b.size()) return "";
  const std::string field = first_different_field(one, other);
  return component + ": " + (field.empty() ? "its digests differ" : field);
}

}  // namespace pollux::session
