#include "api/host_harness.h"

#include <google/protobuf/util/json_util.h>

#include "core/check.h"

namespace huitang::api {

void HostHarness::google_parse(const std::string& text, v1::ServerMessage& message) {
  HUITANG_CHECK(google::protobuf::util::JsonStringToMessage(text, &message).ok());
}

void HostHarness::apply_to_node(const v1::MediaMessage& message) {
  auto drop = [](auto& list, auto matches) {
    for (int i = list.size() - 1; i >= 0; --i)
      if (matches(list[i])) list.DeleteSubrange(i, 1);
  };
  switch (message.body_case()) {
    case v1::MediaMessage::kOpenPeer: {
      const uint64_t id = message.open_peer().peer();
      if (peer(id) == nullptr) node.add_peers()->set_peer(id);
      return;
    }
    case v1::MediaMessage::kClosePeer: {
      const uint64_t id = message.close_peer().peer();
      drop(*node.mutable_peers(), [&](const v1::SnapshotPeer& held) { return held.peer() == id; });
      return drop(*node.mutable_sources(), [&](const v1::BindSource& held) { return held.peer() == id; });
    }
    case v1::MediaMessage::kBindSource: {
      const uint32_t source = message.bind_source().source();
      HUITANG_CHECK(peer(message.bind_source().peer()) != nullptr);
      drop(*node.mutable_sources(), [&](const v1::BindSource& held) { return held.source() == source; });
      *node.add_sources() = message.bind_source();
      return;
    }
    case v1::MediaMessage::kUnbindSource: {
      const uint32_t source = message.unbind_source().source();
      return drop(*node.mutable_sources(),
                  [&](const v1::BindSource& held) { return held.source() == source; });
    }
    case v1::MediaMessage::kSetGroup: {
      const uint64_t group = message.set_group().group();
      for (const uint64_t listener : message.set_group().listeners())
        HUITANG_CHECK(peer(listener) != nullptr);
      drop(*node.mutable_groups(), [&](const v1::SetGroup& held) { return held.group() == group; });
      *node.add_groups() = message.set_group();
      return;
    }
    case v1::MediaMessage::kCloseGroup: {
      const uint64_t group = message.close_group().group();
      return drop(*node.mutable_groups(), [&](const v1::SetGroup& held) { return held.group() == group; });
    }
    case v1::MediaMessage::kSetPeerView:
      for (v1::SnapshotPeer& held : *node.mutable_peers())
        if (held.peer() == message.set_peer_view().peer()) *held.mutable_view() = message.set_peer_view();
      return;
    default: return;
  }
}

}  // namespace huitang::api
