#include "sim/shared_storage.h"

#include <algorithm>

namespace pollux::sim {

using failover::ArbiterAnswer;
using failover::FenceAnswer;
using failover::Generation;
using failover::Mutation;

u64 SharedStorage::latency() {
  u64 ns = weather_.latency_ns + shared_.random.below(weather_.jitter_ns + 1);
  if (weather_.spike > 0 && shared_.random.chance(weather_.spike)) ns += shared_.random.below(weather_.spike_ns + 1);
  return ns;
}

// ---- the arbiter

void SharedStorage::claim(Side side, Generation generation, std::function<void(ArbiterAnswer)> answered) {
  shared_.scheduler.after(latency(), [this, side, generation, answered = std::move(answered)]() mutable {
    ArbiterAnswer answer = ArbiterAnswer::kUnreachable;
    if (reachable(side)) {
      const auto [winner, first] = winners_.try_emplace(generation.value, side);
      answer = winner->second == side ? ArbiterAnswer::kWon : ArbiterAnswer::kLost;
      shared_.tell(&Observer::claimed, side, generation, answer);
      if (shared_.random.chance(0.05)) answer = ArbiterAnswer::kUnreachable;  // the answer was lost on its way
    }
    shared_.host(side).post(latency(), [answer, answered = std::move(answered)] { answered(answer); });
  });
}

// ---- the fence

FenceAnswer SharedStorage::enter(Side side, Generation generation) {
  if (!reachable(side)) return FenceAnswer::kUnreachable;
  if (generation.value < fence_) return FenceAnswer::kFenced;
  if (mutations_.has(Mutation::kForgetFence)) return FenceAnswer::kMine;
  if (inside_ && *inside_ != side) return FenceAnswer::kUnreachable;
  inside_ = side;
  return FenceAnswer::kMine;
}

void SharedStorage::leave(Side side) {
  if (inside_ == side) inside_.reset();
}

FenceAnswer SharedStorage::raise(Side side, Generation generation) {
  if (!reachable(side)) return FenceAnswer::kUnreachable;
  if (generation.value < fence_) return FenceAnswer::kFenced;
  if (inside_ && *inside_ != side) return FenceAnswer::kUnreachable;
  fence_ = generation.value;
  shared_.tell(&Observer::raised, side, generation);
  return FenceAnswer::kMine;
}

// ---- the disk

void SharedStorage::submit(Side side, Generation generation, const door::DiskOutput& request, Completed completed) {
  const u64 ticket = next_ticket_++;
  requests_.emplace(ticket, Request{side, generation, request, std::move(completed)});
  if (mutations_.has(Mutation::kIgnoreOverlaps)) return start(ticket);
  if (order_[std::size_t(side)].add(ticket, request.operation, request.offset, request.length)) start(ticket);
}

void SharedStorage::start(u64 ticket) {
  Request& request = requests_.at(ticket);
  if (std::exchange(request.started, true)) return;
  shared_.tell(&Observer::disk_started, request.side, request.output);
  shared_.scheduler.after(latency(), [this, ticket] {
    const auto found = requests_.find(ticket);
    if (found != requests_.end() && !found->second.abandoned) land(ticket);  // else died() decides
  });
}

void SharedStorage::land(u64 ticket) {
  const auto found = requests_.find(ticket);
  if (found == requests_.end()) return;
  Request& request = found->second;
  if (!reachable(request.side) && !request.abandoned) {
    waiting_[std::size_t(request.side)].push_back([this, ticket] { land(ticket); });
    return;
  }
  door::DiskOutput& output = request.output;
  door::DiskCompletionInput completion{output.disk, output.request, door::DiskStatus::kOk, {}};
  const auto at = content_.begin() + std::ptrdiff_t(output.offset);
  switch (output.operation) {
    case door::DiskOperation::kRead: completion.data.assign(at, at + std::ptrdiff_t(output.length)); break;
    case door::DiskOperation::kWrite: std::ranges::copy(output.data, at); break;
    case door::DiskOperation::kFlush: break;
    default: std::fill_n(at, output.length, std::byte{0});
  }
  shared_.tell(&Observer::disk_landed, request.side, request.generation, output);
  // What waited for this request starts when its completion is in the process's queue: completions of requests that
  // overlap come in their order, as host/disk_service sees to it.
  shared_.scheduler.after(latency() / 4, [this, ticket, completion = std::move(completion)] {
    const auto done = requests_.find(ticket);
    if (done == requests_.end()) return;
    if (!done->second.abandoned) {
      shared_.host(done->second.side).post(0, [completed = done->second.completed, completion] { completed(completion); });
    }
    finish(ticket);
  });
}

void SharedStorage::finish(u64 ticket) {
  Request request = std::move(requests_.at(ticket));
  requests_.erase(ticket);
  shared_.tell(&Observer::disk_ended, request.side, request.output);
  if (mutations_.has(Mutation::kIgnoreOverlaps)) return;
  std::vector<u64> next;
  order_[std::size_t(request.side)].finish(ticket, next);
  for (const u64 waiter : next) {
    if (request.abandoned) {
      // A dead process starts nothing more.
      requests_.at(waiter).abandoned = true;
      finish(waiter);
    } else {
      start(waiter);
    }
  }
}

void SharedStorage::heal(Side side) {
  cut_[std::size_t(side)] = false;
  for (auto& again : std::exchange(waiting_[std::size_t(side)], {})) shared_.scheduler.after(latency(), std::move(again));
}

// What is in flight lands within moments or never; then the dead side's lock goes.
void SharedStorage::died(Side side) {
  const u64 until_ns = shared_.random.below(600'000'000);
  for (auto& [ticket, request] : requests_) {
    if (request.side != side) continue;
    request.abandoned = true;
    if (request.started && shared_.random.chance(0.5)) {
      shared_.scheduler.after(shared_.random.below(until_ns + 1), [this, number = ticket] { land(number); });
    }
  }
  shared_.scheduler.after(until_ns, [this, side] {
    while (true) {
      const auto rest = std::ranges::find_if(
          requests_, [&](const auto& entry) { return entry.second.side == side && entry.second.started; });
      if (rest == requests_.end()) break;
      finish(rest->first);
    }
    leave(side);
  });
}

}  // namespace pollux::sim
