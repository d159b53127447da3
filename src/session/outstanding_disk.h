// The disk requests that a machine has issued and that are not completed yet, in the order the guest made them. A
// replay keeps it, so that a promoted backup can issue them again (R6); a live session keeps it to know when the
// disks are quiet. Pure state: not part of the machine.
#pragma once

#include <vector>

#include "door/input.h"
#include "door/output.h"

namespace pollux::session {

class OutstandingDisk {
 public:
  // Ignores everything but disk requests and disk completions.
  void note(const door::OutputAt& output);
  void note(const door::Input& input);

  bool empty() const { return requests_.empty(); }
  std::size_t size() const { return requests_.size(); }
  const std::vector<door::OutputAt>& requests() const { return requests_; }

  // Where in the order of issue the completion's request stands; size() when it is not outstanding.
  std::size_t place(const door::DiskCompletionInput& completion) const;

 private:
  std::vector<door::OutputAt> requests_;
};

}  // namespace pollux::session
