#include "check.h"

#include <atomic>

namespace pollux::test::translation {

std::string Check::difference(Machine& a, Machine& b, const Finish& x, const Finish& y, const char* what) {
  std::string text = std::string(what) + ", at position " + std::to_string(x.position) + " and " +
                     std::to_string(y.position) + ", stopped by " + std::to_string(int(x.reason)) + " and " +
                     std::to_string(int(y.reason)) + "\n";
  char line[160];
  std::snprintf(line, sizeof line, "    %-24s %-34s %s\n", "", "interpreter", "translator");
  text += line;
  const auto ours = a.describe(), theirs = b.describe();
  for (std::size_t n = 0; n < ours.size() && n < theirs.size(); ++n) {
    const bool differs = ours[n].second != theirs[n].second;
    const bool always =
        ours[n].first.find("gpr") != std::string::npos || ours[n].first == "rip" || ours[n].first == "rflags";
    if (!differs && !always) continue;
    std::snprintf(line, sizeof line, "  %c %-24s %-34s %s\n", differs ? '*' : ' ', ours[n].first.c_str(),
                  ours[n].second.c_str(), theirs[n].second.c_str());
    text += line;
  }
  return text;
}

std::string Check::step(Machine& a, Machine& b, u64 until, const char* what, bool& ended) {
  return follow(a, b, b.run(until), until, what, ended);
}

std::string Check::follow(Machine& a, Machine& b, cpu::StopReason reason, u64 until, const char* what, bool& ended) {
  Finish x{.reason = a.run(until)}, y{.reason = reason};
  x.position = a.position(), y.position = b.position();
  x.digest = a.digest(), y.digest = b.digest();
  ended = x.reason != cpu::StopReason::kPosition;
  shut_down_ = x.reason == cpu::StopReason::kShutdown;
  end_digest_ = x.digest;
  return x == y ? "" : difference(a, b, x, y, what);
}

// As step(), but the translator looks whether it is to end early, and often is; the interpreter is told to end just
// there.
std::string Check::early_steps(u64 until, Random& random, bool& ended) {
  static const std::atomic<bool> kAsked{true}, kNotAsked{false};
  for (;;) {
    const std::atomic<bool>* const asked = random.below(4) ? &kAsked : &kNotAsked;
    const cpu::StopReason reason = translator_.run(until, {asked, 1 + random.below(128)});
    if (reason != cpu::StopReason::kEarly) return follow(interpreter_, translator_, reason, until, "early, to the end", ended);
    const std::string text = follow(interpreter_, translator_, cpu::StopReason::kPosition, translator_.position(), "early", ended);
    if (!text.empty()) return text;
  }
}

std::string Check::whole(const Program& program, Machine& other, u64 end) {
  interpreter_.load(program, image_);
  other.load(program, image_);
  bool ended = false;
  std::string text;
  for (const Event& event : program.events) {
    if (event.position > end) break;
    const bool together = &event != program.events.data() && event.position == (&event)[-1].position;
    if (!together) text = step(interpreter_, other, event.position, "whole, to an event", ended);
    if (!text.empty() || shut_down_) return text;
    interpreter_.happen(event);
    other.happen(event);
  }
  return step(interpreter_, other, end, "whole", ended);
}

std::string Check::shortest(const Program& program) {
  lay_out(program, image_);
  u64 end = 1;
  while (end < kEnd && whole(program, translator_, end).empty()) ++end;
  if (end == kEnd) return "it takes slices\n";
  std::string text = "the shortest run that shows it ends at " + std::to_string(end) + "; positions and rip:";
  interpreter_.load(program, image_);
  for (u64 at = 1; at <= end; ++at) {
    if (at + 120 < end) continue;
    interpreter_.run(at);
    char place[48];
    std::snprintf(place, sizeof place, "%s%lu:%lx", at % 8 ? " " : "\n    ", at, interpreter_.rip());
    text += place;
  }
  return text + "\n" + whole(program, translator_, end);
}

std::string Check::cut(const Program& program) {
  const u64 expected = end_digest_;
  Random random(program.slices);
  interpreter_.load(program, image_);
  translator_.load(program, image_);
  const bool early = random.below(4) == 0;
  const u64 longest = u64{1} << (early ? 12 : 3 + random.below(8));
  u64 hand_over = random.below(8) == 0 ? random.below(400) : kEnd;
  std::size_t next_event = 0;
  bool ended = false;
  for (u64 at = 0; at < kEnd;) {
    const bool event = next_event < program.events.size();
    at = std::min({at + 1 + random.below(longest), event ? program.events[next_event].position : kEnd, kEnd});
    std::string text =
        early ? early_steps(at, random, ended) : step(interpreter_, translator_, at, "cut", ended);
    if (!text.empty()) return text;
    if (shut_down_ || (ended && !event)) break;
    while (next_event < program.events.size() && program.events[next_event].position == at) {
      interpreter_.happen(program.events[next_event]);
      translator_.happen(program.events[next_event++]);
    }
    if (at >= hand_over && !(next_event < program.events.size())) {
      successor_.copy(translator_);
      text = step(interpreter_, successor_, kEnd, "an interpreter that took over", ended);
      if (!text.empty()) return text;
      break;
    }
  }
  if (end_digest_ == expected) return "";
  // Once more whole, by the translator, to tell what differs.
  translator_.load(program, image_);
  Finish y{};
  for (const Event& event : program.events) {
    if (y.reason = translator_.run(event.position); y.reason == cpu::StopReason::kShutdown) break;
    translator_.happen(event);
  }
  if (y.reason != cpu::StopReason::kShutdown) y.reason = translator_.run(kEnd);
  y.position = translator_.position();
  return difference(interpreter_, translator_, {.position = interpreter_.position()}, y,
                    "the interpreter, cut, ends otherwise than the translator, whole");
}

std::string Check::run(const Program& program, bool sliced) {
  lay_out(program, image_);
  std::string text = whole(program, translator_);
  if (text.empty() && sliced) text = cut(program);
  if (text.empty() && sliced) text = whole(program, checker_);
  return text;
}

}  // namespace pollux::test::translation
