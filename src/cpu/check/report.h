// Two engines that went different ways from one state, as text for people.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cpu/cpu.h"
#include "memory/guest_memory.h"

namespace pollux::cpu::check {

// How one of them ended.
struct Side {
  std::string name;
  StopReason reason = StopReason::kPosition;
  u64 position = 0;
  std::vector<std::pair<std::string, std::string>> fields;  // of its state, by name
  std::string stray;  // what it asked the bus, other than the other one
};

// A word of memory that they left different.
struct WordDifference {
  memory::PhysAddr at;
  u64 subject = 0, reference = 0;
};

// Reasons, positions, the general registers, whatever else differs, and memory; differences are marked.
std::string side_by_side(const Side& subject, const Side& reference, const std::vector<WordDifference>& memory);

Side side_of(std::string name, StopReason reason, Cpu& cpu, std::string stray);

}  // namespace pollux::cpu::check
