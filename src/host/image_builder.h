// Builds a Debian guest's disk image: mmdebstrap makes the system, mke2fs -d puts it into a whole-disk ext4 file
// system. Needs no loop device, no mount and, where user namespaces are allowed, no root.
//
// The guest: root's password is root; a login on ttyS0; DHCP on every Ethernet card.
// A script, where one is given, runs inside the new system as its root when all packages are there.
#pragma once

#include <functional>

#include "host/image_recipe.h"

namespace pollux::host {

// Tells the operator how far it is, a few lines; may be empty.
using Progress = std::function<void(const std::string&)>;

// On success request.out is the whole image; on failure it is what it was before, and the error says what to do. An
// image that was there is replaced.
Result<void> build_image(const ImageRequest& request, const Progress& progress);

}  // namespace pollux::host
