// Signals as events: SIGINT, SIGTERM and SIGHUP stop, SIGPWR presses the power button. The first stop asks the machine
// to stop in order; the handler stays, so that a second one does the same and a hasty operator breaks nothing (SIGKILL
// is there for the rest). Also ignores SIGPIPE and SIGXFSZ for the process: a reader that went away and a file at its
// limit are errors of the write, not deaths.
#pragma once

#include <functional>
#include <string>

#include "host/reactor.h"

namespace pollux::host {

class StopSignals final : public Source {
 public:
  // power_button empty: SIGPWR is left as it is. At most one exists at a time.
  explicit StopSignals(std::function<void()> stop, std::function<void()> power_button = {});
  ~StopSignals() override;
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Who asked to stop: "SIGTERM from process 4711". Empty: nobody yet.
  static std::string asked_by();

  pollfd interest() override;
  void ready(short events) override;

 private:
  std::function<void()> stop_;
  std::function<void()> power_button_;
};

void ignore_write_signals();

}  // namespace pollux::host
