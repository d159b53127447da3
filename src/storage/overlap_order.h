// Puts disk requests that overlap and are in flight together in one order (R13): a request starts only when every
// earlier request that touches one of its bytes, one of the two writing, has finished. Two reads never wait for each
// other; neither does a flush (it promises only what had completed when it was asked).
//
// Used by host/disk_service (and so by a promoted backup that reissues requests, R6). Pure; one object a disk.
#pragma once

#include <list>
#include <vector>

#include "door/output.h"

namespace pollux::storage {

class OverlapOrder {
 public:
  // Adds a request after all those added before. True: start it now. ticket: unique while unfinished.
  bool add(u64 ticket, door::DiskOperation operation, u64 offset, u64 length);

  // The request has ended; appends those that may start now, in order. ticket must have been added.
  void finish(u64 ticket, std::vector<u64>& start);

  bool empty() const { return requests_.empty(); }

 private:
  struct Request {
    u64 ticket;
    door::DiskOperation operation;
    u64 begin;
    u64 end;
    u32 waits_for;  // earlier conflicting requests that have not finished
  };
  static bool conflict(const Request& a, const Request& b);

  std::list<Request> requests_;  // unfinished, in order of arrival
};

}  // namespace pollux::storage
