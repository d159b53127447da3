#include "sim/client.h"

#include "machine/counter_machine.h"

namespace pollux::sim {

void Client::start() {
  network_.attach_client([this](Bytes frame) { got(frame); });
  if (think_ns_ > 0) shared_.scheduler.after(shared_.random.below(2 * think_ns_), [this] { request(); });
}

void Client::request() {
  if (stopped_) return;
  ++asked_;
  repeat_later(asked_, 0);
}

void Client::repeat_later(u64 number, u64 delay_ns) {
  shared_.scheduler.after(delay_ns, [this, number, delay_ns] {
    if (stopped_ || number != asked_ || answered_ >= asked_) return;
    Bytes frame(64);
    frame[14] = std::byte(number);
    frame[15] = std::byte(number >> 8);
    shared_.tell(&Observer::client_sent);
    network_.packet_in(std::move(frame));
    repeat_later(number, delay_ns == 0 ? 200'000'000 : delay_ns * 2);
  });
}

void Client::got(ByteSpan frame) {
  const u64 counter = machine::packet_counter(frame);
  if (counter <= highest_) return;
  highest_ = counter;
  if (answered_ == asked_) return;
  answered_ = asked_;
  shared_.scheduler.after(shared_.random.below(2 * think_ns_ + 1), [this] { request(); });
}

}  // namespace pollux::sim
