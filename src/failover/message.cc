#include "failover/message.h"

#include "failover/event.h"

namespace pollux::failover {

namespace {
template <class... F>
struct Overload : F... {
  using F::operator()...;
};
template <class... F>
Overload(F...) -> Overload<F...>;  // clang 16 does not find it by itself
}  // namespace

u64 footprint(const log::Entry& entry) {
  const auto* input = std::get_if<door::Input>(&entry.body);
  if (!input) return sizeof(log::Entry);
  return sizeof(log::Entry) + std::visit(Overload{
                                             [](const door::PacketInput& i) -> u64 { return i.frame.size(); },
                                             [](const door::DiskCompletionInput& i) -> u64 { return i.data.size(); },
                                             [](const door::ConsoleInput& i) -> u64 { return i.bytes.size(); },
                                             [](const door::EntropyInput& i) -> u64 { return i.bytes.size(); },
                                             [](const auto&) -> u64 { return 0; },
                                         },
                                         *input);
}

const char* name(const Message& message) {
  return std::visit(Overload{
                        [](const Hello&) { return "hello"; },
                        [](const Log&) { return "log"; },
                        [](const KeepAlive&) { return "keep-alive"; },
                        [](const Dropped&) { return "dropped"; },
                        [](const Welcome&) { return "welcome"; },
                        [](const Refused&) { return "refused"; },
                        [](const Ack&) { return "ack"; },
                        [](const Leaving&) { return "leaving"; },
                    },
                    message);
}

const char* name(EventKind kind) {
  switch (kind) {
    case EventKind::kProtected: return "protected";
    case EventKind::kPeerLost: return "peer lost";
    case EventKind::kArbiterUnreachable: return "arbiter unreachable";
    case EventKind::kArbiterLost: return "arbiter lost";
    case EventKind::kUnprotected: return "unprotected";
    case EventKind::kPromoted: return "promoted";
    case EventKind::kStalled: return "stalled";
    case EventKind::kSlowed: return "slowed";
    case EventKind::kRestored: return "restored";
    case EventKind::kDropped: return "dropped";
    case EventKind::kDiverged: return "diverged";
    case EventKind::kStopped: return "stopped";
    case EventKind::kHalted: return "halted";
  }
  return "?";
}

}  // namespace pollux::failover
