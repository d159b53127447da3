// R14, shared disk with logged reads: a backup asks the disk for nothing, not even reads; every read returns what a
// single machine on a single disk would have read; and in the end the disk holds what that machine would have written.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "checker.h"

namespace pollux::simulation {

class SharedDisk final : public Checker {
 public:
  SharedDisk() : Checker("R14") {}

  void made(Side side, const door::OutputAt& output) override {
    const auto* disk = std::get_if<door::DiskOutput>(&output.output);
    if (!disk) return;
    Model& model = models_[std::size_t(side)];
    if (disk->request < model.next_request) return;  // issued again
    model.next_request = disk->request + 1;
    model.content.resize(std::max<std::size_t>(model.content.size(), disk->offset + disk->length));
    Bytes expected;
    const auto at = model.content.begin() + std::ptrdiff_t(disk->offset);
    if (disk->operation == door::DiskOperation::kRead) expected.assign(at, at + std::ptrdiff_t(disk->length));
    if (disk->operation == door::DiskOperation::kWrite) std::ranges::copy(disk->data, at);
    model.outstanding[disk->request] = {*disk, std::move(expected)};
  }
  void delivered(Side side, door::Position position, const door::Input& input) override {
    const auto* done = std::get_if<door::DiskCompletionInput>(&input);
    if (!done || (survivor_ && *survivor_ != side)) return;  // what the loser still reads ends with it
    Model& model = models_[std::size_t(side)];
    const auto request = model.outstanding.find(done->request);
    if (request == model.outstanding.end()) return fail("a completion answers no request");
    if (!acceptable(request->second, done->data)) {
      fail("the read delivered at " + text(position) + " on " + sim::name(side) + " is not what was written before");
    }
    model.outstanding.erase(request);
  }
  void performed(Side side, const door::Output& output) override {
    if (side == Side::kB && !live_ && std::holds_alternative<door::DiskOutput>(output)) {
      fail("a backup asked the disk");
    }
  }
  void live(Side side, failover::Generation, door::Position) override {
    survivor_ = side;
    if (side != Side::kB) return;
    live_ = true;
    for (auto& [number, outstanding] : models_[std::size_t(side)].outstanding) outstanding.reissued = true;
    at_promotion_ = models_[std::size_t(side)].outstanding;
  }
  void conclude(const sim::Outcome& outcome) override {
    // Blocks under a write that never completed may hold old or new.
    const Side survivor = survivor_.value_or(Side::kA);
    const Model& model = models_[std::size_t(survivor)];
    if (!outcome.living[std::size_t(survivor)]) return;
    for (u64 block = 0; block < model.content.size(); block += sim::SharedStorage::kBlockBytes) {
      const bool in_doubt = std::ranges::any_of(model.outstanding, [&](const auto& entry) {
        const door::DiskOutput& r = entry.second.request;
        return block >= r.offset && block < r.offset + r.length;
      });
      if (in_doubt) continue;
      const auto from = model.content.begin() + std::ptrdiff_t(block);
      if (!std::equal(from, from + sim::SharedStorage::kBlockBytes, outcome.disk.begin() + std::ptrdiff_t(block))) {
        return fail("block " + std::to_string(block / sim::SharedStorage::kBlockBytes) +
                    " does not hold what the machine wrote last");
      }
    }
  }

 private:
  struct Outstanding {
    door::DiskOutput request;
    Bytes expected;
    bool reissued = false;
  };
  struct Model {
    Bytes content;
    std::map<u64, Outstanding> outstanding;
    u64 next_request = 0;
  };

  // A read that is issued again may see a later write that was in flight with it: the old primary had done both and
  // told of neither. The guest asked for them at the same time and may expect either.
  bool acceptable(const Outstanding& read, const Bytes& data) const {
    if (data == read.expected) return true;
    if (!read.reissued || data.size() != read.expected.size()) return false;
    constexpr u64 kBlock = sim::SharedStorage::kBlockBytes;
    for (u64 offset = 0; offset < data.size(); offset += kBlock) {
      const ByteSpan got = ByteSpan(data).subspan(offset, kBlock);
      bool good = std::ranges::equal(got, ByteSpan(read.expected).subspan(offset, kBlock));
      for (const auto& [number, later] : at_promotion_) {
        const door::DiskOutput& w = later.request;
        const u64 at = read.request.offset + offset;
        if (number < read.request.request || w.operation != door::DiskOperation::kWrite) continue;
        if (at < w.offset || at + kBlock > w.offset + w.length) continue;
        good |= std::ranges::equal(got, ByteSpan(w.data).subspan(at - w.offset, kBlock));
      }
      if (!good) return false;
    }
    return true;
  }

  std::array<Model, 2> models_;
  std::map<u64, Outstanding> at_promotion_;
  std::optional<Side> survivor_;
  bool live_ = false;
};

}  // namespace pollux::simulation
