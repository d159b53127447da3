// Makes the certificates that a channel can trust instead of a key: an authority of the cluster's own, and what it signs
// for each host. Used by `pollux certificate`; any other maker's PEM files do as well.
//
// P-256 keys. A host's certificate serves both sides of a connection. Nothing is written here.
#pragma once

#include <string>

#include "base/result.h"

namespace pollux::failover::driver {

struct Credentials {
  std::string certificate;  // both PEM
  std::string private_key;
};

// A self-signed authority, good for ten years.
Result<Credentials> make_authority(const std::string& name);

// A certificate for a host, signed by the authority; good for ten years. Fails when the authority's PEM texts are none, or
// not of one authority.
Result<Credentials> make_certificate(const std::string& host, const Credentials& authority);

}  // namespace pollux::failover::driver
