#include "net/fd.h"

#include <unistd.h>

namespace huitang::net {

void Fd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace huitang::net
