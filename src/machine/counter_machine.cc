#include "machine/counter_machine.h"

#include <algorithm>
#include <type_traits>

#include "base/check.h"
#include "base/checksum.h"

namespace pollux::machine {
namespace {

constexpr u64 kMagic = 0x31'7265746e756f63;  // "counter1" in a file

u64 scramble(u64 z) {  // splitmix64's finaliser
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

template <class T>
void put(Bytes& out, T value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

constexpr u64 kAnswerMark = 0x7265'7773'6e61;
constexpr std::size_t kEthernetHeader = 14;

Bytes frame(u64 mark, u64 counter, u64 state) {
  Bytes out(kEthernetHeader);
  std::fill_n(out.begin(), 6, std::byte{0xff});
  out[6] = std::byte{2};
  put(out, mark);
  put(out, counter);
  put(out, state);
  out.resize(60);
  return out;
}

}  // namespace

Bytes encode(const CounterConfig& c) {
  ByteWriter out;
  out.put<u64>(kMagic);
  for (const u64 value : {c.seed, c.rate, c.mean_gap, c.max_idle_ns, c.disk_blocks, c.power_off_at}) out.put(value);
  for (const u8 value : {c.packets, c.console, c.entropy}) out.put(value);
  return out.take();
}

Result<std::unique_ptr<Machine>> CounterMachineFactory::make(ByteSpan configuration) {
  ByteReader in(configuration);
  CounterConfig c;
  const bool ours = in.get<u64>() == kMagic;
  for (u64* value : {&c.seed, &c.rate, &c.mean_gap, &c.max_idle_ns, &c.disk_blocks, &c.power_off_at}) {
    *value = in.get<u64>();
  }
  for (u8* value : {&c.packets, &c.console, &c.entropy}) *value = in.get<u8>();
  if (!ours || !in.ok() || !in.at_end() || c.rate == 0 || c.mean_gap == 0) {
    return fail(ErrorKind::kFormat, "These bytes are not the configuration of a counter machine.");
  }
  return std::make_unique<CounterMachine>(c);
}

u64 packet_counter(ByteSpan bytes) {
  ByteReader in(bytes);
  in.get_bytes(kEthernetHeader);
  if (in.get<u64>() != kAnswerMark) return 0;
  return in.get<u64>();
}

CounterMachine::CounterMachine(const CounterConfig& config)
    : config_(config), clock_(config.rate), state_(scramble(config.seed)) {
  POLLUX_CHECK(config.mean_gap > 0, "actions need room");
  plan_action();
}

u64 CounterMachine::draw() {
  state_ += 0x9e3779b97f4a7c15;
  return scramble(state_);
}

void CounterMachine::mix(u64 value) { state_ = scramble(state_ ^ value) + 0x9e3779b97f4a7c15; }
void CounterMachine::mix(ByteSpan bytes) { mix(checksum(bytes, state_)); }

RunStop CounterMachine::run(door::Position until, EarlyStop) {
  if (off_) return RunStop::kOff;
  if (!outputs_.empty()) return RunStop::kOutput;
  while (position_ < until) {
    if (idle()) {
      if (now() < idle_until_) return RunStop::kIdle;
      idle_ = 0;
      idle_until_ = door::kNever;
    }
    if (replies_due_ > 0) {
      --replies_due_;
      position_ += 1;
      emit(door::PacketOutput{0, frame(kAnswerMark, counter_, state_)});
      return RunStop::kOutput;
    }
    if (config_.power_off_at != 0 && position_.value + 1 >= config_.power_off_at) {
      position_ += 1;
      off_ = 1;
      emit(door::PowerOutput{door::PowerEvent::kOff, 0});
      return RunStop::kOff;
    }
    door::Position stop = std::min(until, std::max(next_action_, position_ + 1));
    if (config_.power_off_at != 0) stop = std::min(stop, door::Position(config_.power_off_at - 1));
    position_ = stop;
    if (position_ >= next_action_) {  // later than planned only after a reply or a skip
      act();
      plan_action();
      if (!outputs_.empty()) return RunStop::kOutput;
    }
  }
  return RunStop::kPosition;
}

void CounterMachine::act() {
  mix(position_.value);
  switch (draw() % 6) {
    case 0:
      if (config_.packets) emit(door::PacketOutput{0, frame(0, counter_, state_)});
      break;
    case 1:
      if (config_.console) emit(door::ConsoleOutput{frame(0, counter_, state_)});
      break;
    case 2:
    case 3:
      if (config_.disk_blocks > 0) act_disk();
      break;
    case 4:
      if (config_.entropy) entropy_wanted_ = 1 + draw() % 64;
      break;
    default:
      if (config_.max_idle_ns == 0) break;
      idle_ = 1;
      idle_until_ = now() + 1 + draw() % config_.max_idle_ns;
  }
}

void CounterMachine::act_disk() {
  if (in_flight_.size() >= kMaxInFlight) return;
  door::DiskOutput request;
  request.request = next_request_++;
  const u64 first = draw() % config_.disk_blocks;
  const u64 count = 1 + draw() % std::min<u64>(8, config_.disk_blocks - first);
  request.offset = first * kBlockBytes;
  request.length = count * kBlockBytes;
  switch (draw() % 8) {
    case 0:
      request.operation = door::DiskOperation::kFlush;
      request.offset = request.length = 0;
      break;
    case 1:
    case 2:
    case 3:
      request.operation = door::DiskOperation::kRead;
      break;
    default:
      request.operation = door::DiskOperation::kWrite;
      while (request.data.size() < request.length) put(request.data, draw());
  }
  in_flight_.push_back(request.request);
  emit(std::move(request));
}

void CounterMachine::deliver(DeliverKey, const door::Input& input) {
  mix(input.index());
  mix(position_.value);
  std::visit(
      [this](const auto& in) {
        using T = std::decay_t<decltype(in)>;
        if constexpr (std::is_same_v<T, door::ClockInput>) {
          clock_.set(position_, in.now, in.rate);
          return;  // wakes only when its time has come: run() sees to it
        } else if constexpr (std::is_same_v<T, door::PacketInput>) {
          mix(in.frame);
          ++counter_;
          ++replies_due_;
        } else if constexpr (std::is_same_v<T, door::DiskCompletionInput>) {
          mix(in.request);
          mix(u64(in.status));
          mix(in.data);
          POLLUX_CHECK(std::erase(in_flight_, in.request) == 1, "a completion answers a request in flight, once");
        } else if constexpr (std::is_same_v<T, door::ConsoleInput> || std::is_same_v<T, door::EntropyInput>) {
          mix(in.bytes);
          if constexpr (std::is_same_v<T, door::EntropyInput>) entropy_wanted_ = 0;
        } else if constexpr (std::is_same_v<T, door::WallClockInput>) {
          mix(in.unix_ns);
        } else if constexpr (std::is_same_v<T, door::LinkInput>) {
          mix(in.nic * 2 + in.up);
        } else if constexpr (std::is_same_v<T, door::DeviceInput>) {
          mix(u64(in.change) << 32 | in.index);
          mix(in.size_bytes);
        } else if constexpr (std::is_same_v<T, door::StopInput>) {
          off_ = 1;
        }
        idle_ = 0;
        idle_until_ = door::kNever;
      },
      input);
}

std::vector<door::OutputAt> CounterMachine::take_outputs() { return std::exchange(outputs_, {}); }

void CounterMachine::skip_idle() {
  POLLUX_CHECK(idle() && idle_until_ != door::kNever, "only a machine that waits for a time can skip to it");
  clock_.jump(position_ + 1, idle_until_);
  position_ += 1;
  idle_ = 0;
  idle_until_ = door::kNever;
}

u64 CounterMachine::digest() {
  DigestVisitor v;
  visit(v);
  return v.digest();
}

std::vector<std::pair<std::string, u64>> CounterMachine::component_digests() { return {{"counter", digest()}}; }

void CounterMachine::visit(Visitor& v) {
  POLLUX_CHECK(outputs_.empty() || !v.restoring(), "outputs are taken before a machine is restored");
  v.component("clock", clock_);
  v.field("position", position_);
  v.field("next_action", next_action_);
  v.field("state", state_);
  v.field("counter", counter_);
  v.field("replies_due", replies_due_);
  v.field("next_request", next_request_);
  v.list("in_flight", in_flight_);
  v.field("entropy_wanted", entropy_wanted_);
  v.field("idle_until", idle_until_);
  v.field("idle", idle_);
  v.field("off", off_);
}

}  // namespace pollux::machine
