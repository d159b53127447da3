#include "cpu/check/tape.h"

#include <cstdio>

#include "base/check.h"

namespace pollux::cpu::check {

namespace {

// Neither a device's state nor memory changes by these.
bool without_effect(Call call) { return call == Call::kCounter || call == Call::kPriority || call == Call::kPause; }

}  // namespace

std::string to_text(const Asked& asked) {
  static constexpr const char* kNames[] = {"device memory read", "device memory write",  "port read", "port write",
                                           "interrupt acknowledged", "time-stamp counter", "APIC register read",
                                           "APIC register write", "priority read", "priority write", "pause"};
  char text[160];
  std::snprintf(text, sizeof text, "%s at %lx, size %u, value %lx, position %lu", kNames[unsigned(asked.call)], asked.at,
                asked.size, asked.value, asked.position);
  return text;
}

void TapedBus::record(std::vector<Access>& tape) {
  tape_ = &tape;
  recording_ = true;
  stray_.clear();
}

void TapedBus::play(std::vector<Access>& tape, std::size_t from) {
  tape_ = &tape;
  recording_ = false;
  next_ = from;
  stray_.clear();
}

template <class F>
Access TapedBus::access(Call call, u64 at, unsigned size, u64 value, F real) {
  POLLUX_CHECK(tape_, "an engine that is checked runs only when its checker does");
  const Asked asked{call, engine_->position().value, at, size, value};
  if (!recording_) return play_next(asked);
  Access& a = tape_->emplace_back(Access{.asked = asked});
  answering_ = &a;
  if (without_effect(call)) {
    real(a);
  } else {
    journal_.begin_device();
    real(a);
    a.writes = journal_.end_device();
    a.stop = true;
    engine_->request_stop();
  }
  answering_ = nullptr;
  return a;
}

Access TapedBus::play_next(const Asked& asked) {
  if (!stray_.empty() || next_ >= tape_->size() || (*tape_)[next_].asked != asked) {
    if (stray_.empty()) stray_ = to_text(asked);
    engine_->request_stop();
    return {.asked = asked, .answer = ~u64{0}};
  }
  const Access& a = (*tape_)[next_++];
  for (const DeviceWrite& write : a.writes) memory_.write(write.at, write.bytes);
  if (a.line) engine_->set_interrupt_line(*a.line);
  if (a.nmi) engine_->raise_nmi();
  if (a.stop) engine_->request_stop();
  return a;
}

u64 TapedBus::mmio_read(memory::PhysAddr at, unsigned size) {
  return access(Call::kMmioRead, at.value, size, 0, [&](Access& a) { a.answer = real_.mmio_read(at, size); }).answer;
}

void TapedBus::mmio_write(memory::PhysAddr at, unsigned size, u64 value) {
  access(Call::kMmioWrite, at.value, size, value, [&](Access&) { real_.mmio_write(at, size, value); });
}

u32 TapedBus::port_read(u16 port, unsigned size) {
  return u32(access(Call::kPortRead, port, size, 0, [&](Access& a) { a.answer = real_.port_read(port, size); }).answer);
}

void TapedBus::port_write(u16 port, unsigned size, u32 value) {
  access(Call::kPortWrite, port, size, value, [&](Access&) { real_.port_write(port, size, value); });
}

u8 TapedBus::acknowledge_interrupt() {
  return u8(access(Call::kAcknowledge, 0, 0, 0, [&](Access& a) { a.answer = real_.acknowledge_interrupt(); }).answer);
}

u64 TapedBus::time_stamp_counter() {
  return access(Call::kCounter, 0, 0, 0, [&](Access& a) { a.answer = real_.time_stamp_counter(); }).answer;
}

std::optional<u64> TapedBus::apic_msr_read(u32 index) {
  const Access a = access(Call::kMsrRead, index, 0, 0, [&](Access& to) {
    const std::optional<u64> value = real_.apic_msr_read(index);
    to.done = value.has_value();
    to.answer = value.value_or(0);
  });
  return a.done ? std::optional(a.answer) : std::nullopt;
}

bool TapedBus::apic_msr_write(u32 index, u64 value) {
  return access(Call::kMsrWrite, index, 0, value, [&](Access& a) { a.done = real_.apic_msr_write(index, value); }).done;
}

u64 TapedBus::task_priority() {
  return access(Call::kPriority, 0, 0, 0, [&](Access& a) { a.answer = real_.task_priority(); }).answer;
}

void TapedBus::set_task_priority(u64 cr8) {
  access(Call::kSetPriority, 0, 0, cr8, [&](Access&) { real_.set_task_priority(cr8); });
}

void TapedBus::pause() {
  access(Call::kPause, 0, 0, 0, [&](Access&) { real_.pause(); });
}

}  // namespace pollux::cpu::check
