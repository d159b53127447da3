#include "device/virtio/block.h"

#include <algorithm>

namespace pollux::device::virtio {
namespace {

using door::DiskOperation;
using door::DiskStatus;

constexpr u64 kSector = 512;
constexpr u16 kQueueSize = 256;

// Feature bits (5.2.3).
constexpr u64 kSizeMax = 1 << 1, kSegMax = 1 << 2, kReadOnly = 1 << 5, kBlkSize = 1 << 6, kFlush = 1 << 9,
              kTopology = 1 << 10, kDiscard = 1 << 13, kWriteZeroes = 1 << 14;
// Request types and status (5.2.6).
constexpr u32 kIn = 0, kOut = 1, kFlushType = 4, kGetId = 8, kDiscardType = 11, kWriteZeroesType = 13;
constexpr u8 kOk = 0, kIoError = 1, kUnsupported = 2;
constexpr u64 kHeaderBytes = 16;
constexpr u64 kIdBytes = 20;
constexpr u64 kRangeBytes = 16;  // of a discard or write-zeroes: sector, count, flags
constexpr u32 kUnmap = 1;

// A request that obeys both limits is below kMaxRequestBytes.
constexpr u32 kSegments = kQueueSize - 2;  // header and status take one each
constexpr u32 kSegmentBytes = 128 << 10;
static_assert(u64{kSegments} * kSegmentBytes <= Block::kMaxRequestBytes);
constexpr u32 kMaxRangeSectors = 1 << 22;  // 2 GiB a discard

constexpr Kind kKind{.type = 2, .class_code = 0x018000, .queues = 1, .queue_size = kQueueSize, .config_bytes = 0x3c};

// Cuts count bytes from the front, or leaves only the first count.
std::vector<Segment> drop_front(std::vector<Segment> segments, u64 count) {
  std::size_t whole = 0;
  while (whole < segments.size() && count >= segments[whole].length) count -= segments[whole++].length;
  segments.erase(segments.begin(), segments.begin() + std::ptrdiff_t(whole));
  if (!segments.empty()) {
    segments[0].at += count;
    segments[0].length -= count;
  }
  return segments;
}
std::vector<Segment> keep_front(std::vector<Segment> segments, u64 count) {
  std::size_t kept = 0;
  for (; kept < segments.size() && count; ++kept) {
    segments[kept].length = std::min(segments[kept].length, count);
    count -= segments[kept].length;
  }
  segments.resize(kept);
  return segments;
}

// The address of the last byte of segments that hold at least one.
u64 last_byte(const std::vector<Segment>& segments) {
  u64 at = 0;
  for (const Segment& segment : segments) {
    if (segment.length) at = segment.at.value + segment.length - 1;
  }
  return at;
}

}  // namespace

Block::Block(Host& the_host, MessageSink& messages, BlockSettings settings)
    : Device(the_host, messages, kKind, "disk " + std::to_string(settings.disk)),
      disk_(settings.disk),
      read_only_(settings.read_only),
      serial_(settings.serial.substr(0, kIdBytes)),
      size_bytes_(settings.size_bytes) {}

u64 Block::offered() const {
  u64 bits = kSizeMax | kSegMax | kBlkSize | kFlush | kTopology;
  bits |= read_only_ ? kReadOnly : kDiscard | kWriteZeroes;
  return bits;
}

Bytes Block::configuration() const {
  ByteWriter out;
  out.put<u64>(size_bytes_ / kSector);
  out.put<u32>(kSegmentBytes);
  out.put<u32>(kSegments);
  out.put<u32>(0);  // geometry: not offered
  out.put<u32>(kSector);
  out.put<u8>(3);     // a physical block is 2^3 logical ones
  out.put<u8>(0);     // the first one is aligned
  out.put<u16>(8);    // smallest good transfer, in logical blocks
  out.put<u32>(0);    // best transfer: not known
  out.put<u8>(1);     // writeback
  out.put<u8>(0);
  out.put<u16>(1);    // queues
  out.put<u32>(kMaxRangeSectors);  // discard: most sectors, segments, alignment
  out.put<u32>(1);
  out.put<u32>(8);
  out.put<u32>(kMaxRangeSectors);  // write zeroes: most sectors, segments, may unmap
  out.put<u32>(1);
  out.put<u32>(1);
  return out.take();
}

void Block::on_doorbell(unsigned) {
  take();
  publish(0);
}

void Block::take() {
  Chain chain;
  for (unsigned n = queue(0).available(); n; --n) {
    // The ring keeps what does not fit; complete() comes back for it.
    if (requests_.size() >= kMaxWaiting || waiting_bytes() >= kMaxWaitingBytes) return;
    if (!queue(0).pop(chain)) return;
    if (!start(chain)) return need_reset();
  }
  queue(0).want_doorbell(true);
}

bool Block::start(Chain& chain) {
  struct {
    u32 type, reserved;
    u64 sector;
  } header;
  static_assert(sizeof header == kHeaderBytes);
  const auto header_bytes = std::as_writable_bytes(std::span(&header, 1));
  if (gather(memory(), chain.readable, 0, header_bytes) != kHeaderBytes || chain.writable_bytes < 1) return false;

  BlockRequest request;
  request.head = chain.head;
  request.status_at = last_byte(chain.writable);
  switch (header.type) {
    case kIn: {
      request.operation = DiskOperation::kRead;
      const u64 bytes = chain.writable_bytes - 1;
      start_transfer(std::move(request), header.sector, keep_front(std::move(chain.writable), bytes), bytes);
      return true;
    }
    case kOut: {
      request.operation = DiskOperation::kWrite;
      const u64 bytes = chain.readable_bytes - kHeaderBytes;
      start_transfer(std::move(request), header.sector, drop_front(std::move(chain.readable), kHeaderBytes), bytes);
      return true;
    }
    case kFlushType:
      request.operation = DiskOperation::kFlush;
      enqueue(std::move(request));
      return true;
    case kDiscardType:
      request.operation = DiskOperation::kDiscard;
      start_range(std::move(request), chain);
      return true;
    case kWriteZeroesType:
      request.operation = DiskOperation::kWriteZeroes;
      start_range(std::move(request), chain);
      return true;
    case kGetId: start_identity(request, chain); return true;
    default: answer(request, kUnsupported, 0); return true;
  }
}

bool Block::in_range(u64 sector, u64 bytes) const {
  const u64 sectors = size_bytes_ / kSector;
  return bytes % kSector == 0 && sector <= sectors && bytes / kSector <= sectors - sector;
}

void Block::start_transfer(BlockRequest request, u64 sector, std::vector<Segment> segments, u64 bytes) {
  const bool write = request.operation == DiskOperation::kWrite;
  const bool within_limits = bytes <= kMaxRequestBytes && segments.size() <= kSegments;
  if (!in_range(sector, bytes) || !within_limits || (write && read_only_)) return answer(request, kIoError, 0);
  if (bytes == 0) return answer(request, kOk, 0);
  request.offset = sector * kSector;
  request.length = bytes;
  request.segments = std::move(segments);
  request.flush_after = write && !negotiated(kFlush);
  enqueue(std::move(request));
}

void Block::start_range(BlockRequest request, const Chain& chain) {
  struct {
    u64 sector;
    u32 sectors, flags;
  } range;
  static_assert(sizeof range == kRangeBytes);
  const bool zeroes = request.operation == DiskOperation::kWriteZeroes;
  if (read_only_ || !negotiated(zeroes ? kWriteZeroes : kDiscard)) return answer(request, kUnsupported, 0);
  // One range a request, as the configuration says.
  const auto range_bytes = std::as_writable_bytes(std::span(&range, 1));
  if (chain.readable_bytes != kHeaderBytes + kRangeBytes ||
      gather(memory(), chain.readable, kHeaderBytes, range_bytes) != kRangeBytes) {
    return answer(request, kIoError, 0);
  }
  if (range.flags & ~(zeroes ? kUnmap : 0)) return answer(request, kUnsupported, 0);
  if (range.sectors > kMaxRangeSectors || !in_range(range.sector, u64{range.sectors} * kSector)) {
    return answer(request, kIoError, 0);
  }
  if (range.sectors == 0) return answer(request, kOk, 0);
  request.offset = range.sector * kSector;
  request.length = u64{range.sectors} * kSector;
  request.flush_after = zeroes && !negotiated(kFlush);
  enqueue(std::move(request));
}

void Block::start_identity(const BlockRequest& request, const Chain& chain) {
  if (chain.writable_bytes != kIdBytes + 1) return answer(request, kIoError, 0);
  std::string id = serial_;
  id.resize(kIdBytes);
  answer(request, kOk, scatter(memory(), chain.writable, 0, as_bytes(id)));
}

void Block::answer(const BlockRequest& request, u8 status, u64 data_bytes) {
  memory().store(memory::PhysAddr(request.status_at), status);
  queue(0).push(request.head, data_bytes + 1);
}

void Block::enqueue(BlockRequest request) {
  request.derive();
  const bool free = std::ranges::none_of(requests_, [&](const BlockRequest& r) { return r.conflicts(request); });
  requests_.push_back(std::move(request));
  if (free) emit(requests_.back());
}

void Block::emit(BlockRequest& request) {
  request.id = next_id_++;
  request.stage = RequestStage::kEmitted;
  if (request.operation == DiskOperation::kWrite) {
    request.data.resize(request.length);
    gather(memory(), request.segments, 0, request.data);
  }
  host().emit(request.output(disk_));
}

void Block::emit_held() {
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    if (requests_[i].stage != RequestStage::kHeld) continue;
    bool free = true;
    for (std::size_t j = 0; j < i && free; ++j) free = !requests_[j].conflicts(requests_[i]);
    if (free) emit(requests_[i]);
  }
}

void Block::complete(const door::DiskCompletionInput& completion) {
  const auto at = std::ranges::find_if(requests_, [&](const BlockRequest& r) {
    return r.stage != RequestStage::kHeld && r.id == completion.request;
  });
  if (at == requests_.end()) return;
  const bool read = at->operation == DiskOperation::kRead;
  const bool ok = completion.status == DiskStatus::kOk && (!read || completion.data.size() == at->length);
  if (at->stage == RequestStage::kEmitted && ok && at->flush_after) {
    // The same request goes on as the flush that makes it durable.
    at->operation = DiskOperation::kFlush;
    at->flush_after = false;
    at->offset = at->length = 0;
    at->data.clear();
    at->id = next_id_++;
    host().emit(at->output(disk_));
    emit_held();
    return;
  }
  if (at->stage == RequestStage::kEmitted && running()) {
    if (ok && read) scatter(memory(), at->segments, 0, completion.data);
    const u8 status = ok ? kOk : completion.status == DiskStatus::kUnsupported ? kUnsupported : kIoError;
    answer(*at, status, ok && read ? at->length : 0);
  }
  requests_.erase(at);
  emit_held();
  if (!running()) return;
  take();
  publish(0);
}

void Block::resize(u64 size_bytes) {
  size_bytes_ = size_bytes;
  configuration_changed();
}

std::vector<door::DiskOutput> Block::outstanding() const {
  std::vector<door::DiskOutput> all;
  for (const BlockRequest& request : requests_) {
    if (request.stage != RequestStage::kHeld) all.push_back(request.output(disk_));
  }
  return all;
}

u64 Block::waiting_bytes() const {
  u64 bytes = 0;
  for (const BlockRequest& request : requests_) {
    const bool moves = request.operation == DiskOperation::kRead || request.operation == DiskOperation::kWrite;
    if (moves) bytes += request.length;
  }
  return bytes;
}

void Block::on_reset() {
  std::erase_if(requests_, [](const BlockRequest& r) { return r.stage == RequestStage::kHeld; });
  for (BlockRequest& request : requests_) request.stage = RequestStage::kOrphaned;
}

void Block::visit_kind(Visitor& v) {
  v.field("size_bytes", size_bytes_);
  v.field("next_id", next_id_);
  u64 count = requests_.size();
  v.field("requests", count);
  if (v.restoring()) requests_.resize(std::min<u64>(count, kMaxWaiting));
  for (BlockRequest& request : requests_) v.component("request", request);
}

}  // namespace pollux::device::virtio
