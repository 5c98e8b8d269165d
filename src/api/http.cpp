#include "api/http.h"

namespace huitang::api {

HttpReply text_reply(unsigned status, std::string_view content_type, std::string body) {
  HttpReply reply;
  reply.status = status;
  reply.body = std::move(body);
  reply.with("Content-Type", std::string(content_type));
  return reply;
}

}  // namespace huitang::api
