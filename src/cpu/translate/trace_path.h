// Which way a trace goes: behind each of its steps, whether it goes on and where (trace_reader.h).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "cpu/translate/trace_reader.h"

namespace pollux::cpu::translate {

class TracePath {
 public:
  // As in read_trace(); start: the trace's offset in its page.
  TracePath(u16 start, const PageAt& page_at, const Reach& reach, Seen seen, Trace& trace)
      : start_(start), page_at_(page_at), reach_(reach), seen_(seen), trace_(trace) {}

  // That holds the offset; empty: the trace may not go there.
  ByteSpan page(i64 offset);

  // Whether the trace goes on behind its last step; trace.end becomes where.
  bool goes_on();
  // A call from which the trace does not return ends it: what is called has traces of its own.
  void take_back_calls();
  // Trace::guess.
  i32 guess() const;

 private:
  enum class Way { kUnknown, kOn, kTaken };
  struct Call {
    std::size_t steps;  // up to the call
    i32 behind;
  };

  void follow(Step& step, i64 target);
  bool follow_jump(Step& step, i64 target);
  bool follow_call(Step& step, i64 target);
  bool follow_return(Step& step);
  bool follow_guess(Step& jump);
  bool follow_branch(Step& step, i64 target);
  i32 guess(const Step& jump) const;
  // Which way a branch went more often, as far as was seen.
  Way seen_way(const Step& branch) const;

  const u16 start_;
  const PageAt& page_at_;
  const Reach& reach_;
  const Seen seen_;
  Trace& trace_;
  std::vector<Call> calls_;  // that the trace is in
  std::optional<i32> read_;  // page_'s distance
  ByteSpan page_;
};

}  // namespace pollux::cpu::translate
