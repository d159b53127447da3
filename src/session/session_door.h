// The only maker, outside tests, of the key with which inputs enter a machine. Two classes may use it.
#pragma once

#include "machine/machine.h"

namespace pollux::session {
class LiveSession;
class ReplaySession;
}  // namespace pollux::session

namespace pollux::machine {

struct SessionDoor {
 private:
  friend class pollux::session::LiveSession;
  friend class pollux::session::ReplaySession;
  static void deliver(Machine& machine, const door::Input& input) { machine.deliver(DeliverKey(), input); }
};

}  // namespace pollux::machine
