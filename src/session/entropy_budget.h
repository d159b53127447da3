// How many random bytes a machine may have now. A guest that reads its entropy device without end would fill the log
// (every byte is logged); a bucket that refills slowly gives it all that a sane guest wants.
#pragma once

#include <algorithm>

#include "base/integers.h"

namespace pollux::session {

class EntropyBudget {
 public:
  static constexpr u64 kBytesPerSecond = 16 * 1024;
  static constexpr u64 kBucketBytes = 4096;
  static constexpr u64 kLeastBytes = 64;  // worth an input

  // How many of the bytes wanted may be delivered at now_ns; takes them from the bucket. 0: not yet.
  u64 take(u64 now_ns, u64 wanted) {
    refill(now_ns);
    const u64 given = std::min(wanted, bucket_);
    if (given < std::min(wanted, kLeastBytes)) return 0;
    bucket_ -= given;
    return given;
  }

  // When take() will give something again.
  u64 ready_ns(u64 now_ns) const {
    return bucket_ >= kLeastBytes ? now_ns : filled_ns_ + (kLeastBytes - bucket_) * kNsPerByte;
  }

 private:
  static constexpr u64 kNsPerByte = 1'000'000'000 / kBytesPerSecond;

  void refill(u64 now_ns) {
    const u64 bytes = now_ns > filled_ns_ ? (now_ns - filled_ns_) / kNsPerByte : 0;
    if (bytes == 0) return;
    bucket_ = std::min(kBucketBytes, bucket_ + std::min(bytes, kBucketBytes));
    filled_ns_ += bytes * kNsPerByte;
  }

  u64 bucket_ = kBucketBytes;
  u64 filled_ns_ = 0;
};

}  // namespace pollux::session
