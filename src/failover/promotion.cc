#include "failover/promotion.h"

#include <iterator>

#include "failover/gate.h"

namespace pollux::failover {

void UnsureOutputs::made(const door::OutputAt& output) {
  if (std::holds_alternative<door::DiskOutput>(output.output)) return;
  bytes_ += footprint(output.output);
  outputs_.push_back(output);
  while (bytes_ > limit_bytes_) {
    bytes_ -= footprint(outputs_.front().output);
    outputs_.pop_front();
  }
}

void UnsureOutputs::released(door::Position up_to) {
  while (!outputs_.empty() && outputs_.front().position <= up_to) {
    bytes_ -= footprint(outputs_.front().output);
    outputs_.pop_front();
  }
}

std::vector<door::OutputAt> UnsureOutputs::take() {
  bytes_ = 0;
  std::vector<door::OutputAt> outputs(std::make_move_iterator(outputs_.begin()), std::make_move_iterator(outputs_.end()));
  outputs_.clear();
  return outputs;
}

Bytes announcement(const MacAddress& mac) {
  Bytes frame;
  const auto put = [&](std::initializer_list<u8> bytes) {
    for (u8 byte : bytes) frame.push_back(std::byte(byte));
  };
  const auto put_mac = [&] {
    for (u8 byte : mac) frame.push_back(std::byte(byte));
  };
  put({0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
  put_mac();
  put({0x80, 0x35});                          // reverse ARP
  put({0, 1, 8, 0, 6, 4, 0, 3});              // Ethernet, IPv4, lengths, "request reverse"
  put_mac(), put({0, 0, 0, 0});               // sender
  put_mac(), put({0, 0, 0, 0});               // target
  frame.resize(60);
  return frame;
}

}  // namespace pollux::failover
