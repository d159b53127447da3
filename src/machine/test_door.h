// The key with which tests deliver inputs. Tests only.
#pragma once

#include "machine/machine.h"

namespace pollux::machine {

struct TestDoor {
  static DeliverKey key() { return {}; }
};

}  // namespace pollux::machine
