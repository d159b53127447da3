// virtio-blk: a disk. Requests leave as door::DiskOutput at the doorbell, a write's bytes copied out there; they end
// when the board delivers the completion, a read's bytes copied in there.
//
// Invariants
//  1. Of two requests that conflict (block_request.h) the later one is emitted only when the earlier one is completed
//     (design R13). Held requests are emitted in guest order.
//  2. Request numbers rise by one for each request ever emitted and are never used again, also after a reset.
//  3. A request in flight at a device reset is orphaned: nothing of its completion reaches the guest, but it still
//     holds back those that conflict with it.
//  4. Requests that wait inside the device are bounded in number and bytes; beyond that they stay in the ring until a
//     completion makes room.
//
// A flush covers the writes that were completed before it was made available (virtio 1.2, 5.2.6.2), so it waits for
// nothing here. A driver that did not negotiate flush gets each write followed by one.
//
// Not here: several queues, secure erase, writeback switching, zoned disks.
// Source: Virtual I/O Device 1.2, 5.2.
#pragma once

#include <deque>
#include <string>

#include "device/virtio/block_request.h"
#include "device/virtio/device.h"
#include "door/input.h"

namespace pollux::device::virtio {

struct BlockSettings {
  u32 disk = 0;  // number in DiskOutput
  u64 size_bytes = 0;
  bool read_only = false;
  std::string serial;  // at most 20 characters are shown
};

class Block final : public Device {
 public:
  static constexpr u64 kMaxRequestBytes = u64{32} << 20;
  static constexpr u64 kMaxWaitingBytes = u64{32} << 20;
  static constexpr std::size_t kMaxWaiting = 256;

  Block(Host& host, MessageSink& messages, BlockSettings settings);

  // A completion was delivered. One for a request that is not in flight is ignored.
  void complete(const door::DiskCompletionInput& completion);
  // The operator gave the disk another size.
  void resize(u64 size_bytes);

  // Requests emitted and not completed, in guest order, writes with their bytes: what a promoted backup reissues.
  // No two of them conflict.
  std::vector<door::DiskOutput> outstanding() const;

 private:
  u64 offered() const override;
  Bytes configuration() const override;
  void on_doorbell(unsigned queue) override;
  void on_reset() override;
  void visit_kind(Visitor& v) override;

  // Takes chains from the ring while there is room.
  void take();
  // One chain: a request for the world, or an answer at once. False: it is not a request at all.
  bool start(Chain& chain);
  void start_transfer(BlockRequest request, u64 sector, std::vector<Segment> segments, u64 bytes);
  void start_range(BlockRequest request, const Chain& chain);
  void start_identity(const BlockRequest& request, const Chain& chain);
  void enqueue(BlockRequest request);
  void emit(BlockRequest& request);
  void emit_held();
  void answer(const BlockRequest& request, u8 status, u64 data_bytes);
  bool in_range(u64 sector, u64 bytes) const;
  u64 waiting_bytes() const;

  const u32 disk_;
  const bool read_only_;
  const std::string serial_;
  u64 size_bytes_;
  u64 next_id_ = 1;
  std::deque<BlockRequest> requests_;  // in guest order
};

}  // namespace pollux::device::virtio
