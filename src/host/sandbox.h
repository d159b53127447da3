// Confines this process to what a running machine needs: a guest that broke out of its machine finds no way to start
// a program, look into another process, change the host, or gain rights.
//
// confine() is called once by `run` and `backup` after everything has been opened, unless --no-sandbox is given. It
//  * forbids new privileges (setuid programs) for good;
//  * drops the capabilities of the calling thread, as the world's threads do when they start, but for the one that
//    lets root open files of others (the arbiter's folder, the switch's socket);
//  * lets all threads make only the system calls of sandbox.cc's list; any other fails with EPERM.
// Files stay reachable by the rights of the user: give a machine a user of its own where that matters.
// Builds with the address sanitizer skip the list, because its leak check traces the process.
#pragma once

#include "base/result.h"

namespace pollux::host {

Result<void> confine();

// Of the calling thread and those that it makes.
void drop_capabilities();

}  // namespace pollux::host
