#include "device/serial.h"

#include <algorithm>
#include <utility>

namespace pollux::device {
namespace {

enum Register : u64 { kData, kInterruptEnable, kIdentityOrFifo, kLineControl, kModemControl, kLineStatus, kModemStatus, kScratch };
constexpr u8 kEnableReceive = 1, kEnableTransmit = 2;
constexpr u8 kNoInterrupt = 1, kTransmitEmpty = 2, kReceived = 4, kReceiveTimeout = 0xc;
constexpr u8 kFifoEnable = 1;
constexpr u8 kDataReady = 1, kHoldingEmpty = 0x20, kTransmitterEmpty = 0x40;

}  // namespace

unsigned Serial::trigger_level() const {
  static constexpr unsigned kLevels[] = {1, 4, 8, 14};
  return fifo_control_ & kFifoEnable ? kLevels[fifo_control_ >> 6] : 1;
}

unsigned Serial::readable() const {
  const std::size_t room = fifo_control_ & kFifoEnable ? 16 : 1;
  return unsigned(std::min(room, received_.size()));
}

// By priority. Fewer bytes than the trigger level interrupt by the time-out, which comes at once.
u8 Serial::interrupt_identity() const {
  if (interrupt_enable_ & kEnableReceive && readable() > 0) {
    return readable() >= trigger_level() ? kReceived : kReceiveTimeout;
  }
  if (interrupt_enable_ & kEnableTransmit && transmit_pending_) return kTransmitEmpty;
  return kNoInterrupt;
}

void Serial::update() { irq_.set(interrupt_identity() != kNoInterrupt); }

u8 Serial::take_received() {
  if (received_.empty()) return 0;
  const u8 byte = u8(received_.front());
  received_.erase(received_.begin());
  return byte;
}

u64 Serial::read(u64 offset, unsigned) {
  switch (offset & 7) {
    case kData: {
      if (latch_selected()) return divisor_ & 0xff;
      const u8 byte = take_received();
      update();
      return byte;
    }
    case kInterruptEnable: return latch_selected() ? divisor_ >> 8 : interrupt_enable_;
    case kIdentityOrFifo: {
      const u8 identity = interrupt_identity();
      if (identity == kTransmitEmpty) transmit_pending_ = false;
      update();
      return identity | (fifo_control_ & kFifoEnable ? 0xc0 : 0);
    }
    case kLineControl: return line_control_;
    case kModemControl: return modem_control_;
    case kLineStatus: return kHoldingEmpty | kTransmitterEmpty | (readable() > 0 ? kDataReady : 0);
    case kModemStatus:
      if (loopback()) {  // DTR, RTS, OUT1, OUT2 come back as DSR, CTS, RI, DCD
        return (modem_control_ & 1) << 5 | (modem_control_ & 2) << 3 | (modem_control_ & 4) << 4 | (modem_control_ & 8) << 4;
      }
      return 0xb0;  // carrier, data set ready, clear to send
    default: return scratch_;
  }
}

void Serial::write(u64 offset, unsigned, u64 wide) {
  const u8 value = u8(wide);
  switch (offset & 7) {
    case kData:
      if (latch_selected()) {
        divisor_ = u16((divisor_ & 0xff00) | value);
        return;
      }
      if (loopback()) {
        receive(ByteSpan(reinterpret_cast<const std::byte*>(&value), 1));
      } else {
        send(value);
      }
      transmit_pending_ = true;
      break;
    case kInterruptEnable:
      if (latch_selected()) {
        divisor_ = u16((divisor_ & 0xff) | value << 8);
        return;
      }
      if (!(interrupt_enable_ & kEnableTransmit) && value & kEnableTransmit) transmit_pending_ = true;
      interrupt_enable_ = value & 0xf;
      break;
    case kIdentityOrFifo:
      if ((fifo_control_ ^ value) & kFifoEnable || value & 2) received_.erase(received_.begin(), received_.begin() + readable());
      fifo_control_ = value & 0xc9;
      break;
    case kLineControl: line_control_ = value; break;
    case kModemControl: modem_control_ = value & 0x1f; break;
    case kScratch: scratch_ = value; break;
    default: break;
  }
  update();
}

void Serial::receive(ByteSpan bytes) {
  const std::size_t room = kQueueBytes - std::min(kQueueBytes, received_.size());
  const ByteSpan kept = bytes.first(std::min(room, bytes.size()));
  received_.insert(received_.end(), kept.begin(), kept.end());
  update();
}

void Serial::send(u8 byte) {
  sent_.push_back(std::byte(byte));
  if (sent_.size() >= kGatherBytes) return flush();
  if (flush_at_ == door::kNever) {
    flush_at_ = host_.now() + kGatherNs;
    host_.wake_board();
  }
}

void Serial::advance() {
  if (host_.now() >= flush_at_) flush();
}

void Serial::flush() {
  flush_at_ = door::kNever;
  if (!sent_.empty()) host_.emit(door::ConsoleOutput{std::exchange(sent_, {})});
}

void Serial::visit(Visitor& v) {
  for (u8* byte : {&interrupt_enable_, &fifo_control_, &line_control_, &modem_control_, &scratch_}) v.field("register", *byte);
  v.field("divisor", divisor_);
  v.field("transmit_pending", transmit_pending_);
  v.sized("received", received_);
  v.sized("sent", sent_);
  v.field("flush_at", flush_at_);
}

}  // namespace pollux::device
