#include "net/unique_fd.h"

#include <unistd.h>

namespace huitang::net {

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

}  // namespace huitang::net
