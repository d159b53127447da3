// The process's heap, as a machine that begins to run wants it.
#pragma once

namespace pollux::host {

// Between a machine's set-up and its run. Gives back what was allocated and is free, which is several times the
// machine's kernel; and has the heap grow into huge pages from now on, up to 32 MiB, where the host has them. What a
// processor works with (translations, decoded code) is spread over tens of MiB there and looked at all over, which with
// small pages makes guests of large programs some 5 % slower.
void settle_heap();

}  // namespace pollux::host
