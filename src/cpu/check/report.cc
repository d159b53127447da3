#include "cpu/check/report.h"

#include <algorithm>
#include <cstdio>

namespace pollux::cpu::check {

namespace {

constexpr std::size_t kGeneralRegisters = 18;  // the first fields of a state: also rip and rflags
constexpr std::size_t kMostWords = 32;

std::string row(bool differs, const std::string& name, const std::string& subject, const std::string& reference) {
  char text[64];
  std::snprintf(text, sizeof text, "  %c %-18s ", differs ? '*' : ' ', name.c_str());
  std::string line = text + reference;
  line.resize(std::max<std::size_t>(line.size() + 2, 46), ' ');
  return line + subject + "\n";
}

std::string row(const std::string& name, const std::string& subject, const std::string& reference) {
  return row(subject != reference, name, subject, reference);
}

std::string hex(u64 value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%016lx", value);
  return text;
}

const char* to_text(StopReason reason) {
  switch (reason) {
    case StopReason::kPosition: return "position";
    case StopReason::kHalted: return "halt";
    case StopReason::kRequested: return "request";
    case StopReason::kDelivering: return "request in a delivery";
    case StopReason::kEarly: return "early";
    case StopReason::kShutdown: return "shutdown";
  }
  return "";
}

}  // namespace

Side side_of(std::string name, StopReason reason, Cpu& cpu, std::string stray) {
  ListVisitor v;
  cpu.visit(v);
  return {std::move(name), reason, cpu.position().value, v.lines(), std::move(stray)};
}

std::string side_by_side(const Side& subject, const Side& reference, const std::vector<WordDifference>& memory) {
  std::string text = row(false, "", subject.name, reference.name);
  text += row("stopped by", to_text(subject.reason), to_text(reference.reason));
  text += row("position", std::to_string(subject.position), std::to_string(reference.position));
  for (std::size_t n = 0; n < std::min(subject.fields.size(), reference.fields.size()); ++n) {
    const auto& [name, value] = subject.fields[n];
    if (name == "position" || (n >= kGeneralRegisters && value == reference.fields[n].second)) continue;
    text += row(name, value, reference.fields[n].second);
  }
  for (std::size_t n = 0; n < std::min(memory.size(), kMostWords); ++n) {
    char address[24];
    std::snprintf(address, sizeof address, "[%lx]", memory[n].at.value);
    text += row(address, hex(memory[n].subject), hex(memory[n].reference));
  }
  if (memory.size() > kMostWords) text += "    and " + std::to_string(memory.size() - kMostWords) + " more words of memory\n";
  for (const Side* side : {&subject, &reference}) {
    if (!side->stray.empty()) text += "  * only the " + side->name + ": " + side->stray + "\n";
  }
  return text;
}

}  // namespace pollux::cpu::check
