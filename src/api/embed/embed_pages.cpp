// Build tool: turns a folder of pages into one C++ file with a table of them (api/page_table.h). Contents and
// their compressed forms lie beside it, named by their hash, and are drawn in by the assembler; so an
// unchanged page is neither compressed nor compiled again.
//
//   embed_pages DIST_FOLDER OUTPUT_FOLDER
#include <brotli/encode.h>
#include <openssl/sha.h>
#include <zlib.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Row {
  std::string path;
  std::string hash;
  std::string type;
  bool immutable = false;
  size_t plain = 0, gzip = 0, brotli = 0;
};

struct Type {
  std::string_view extension, name;
  bool compressible;
};
constexpr Type kTypes[] = {
    {".html", "text/html; charset=utf-8", true},
    {".js", "text/javascript; charset=utf-8", true},
    {".mjs", "text/javascript; charset=utf-8", true},
    {".css", "text/css; charset=utf-8", true},
    {".json", "application/json", true},
    {".webmanifest", "application/manifest+json", true},
    {".svg", "image/svg+xml", true},
    {".png", "image/png", false},
    {".jpg", "image/jpeg", false},
    {".webp", "image/webp", false},
    {".ico", "image/x-icon", false},
    {".woff2", "font/woff2", false},
    {".wasm", "application/wasm", true},
    {".txt", "text/plain; charset=utf-8", true},
    {".mp3", "audio/mpeg", false},
    {".ogg", "audio/ogg", false},
    {".wav", "audio/wav", true},
};

const Type* find_type(const fs::path& file) {
  const std::string extension = file.extension().string();
  for (const Type& type : kTypes)
    if (type.extension == extension) return &type;
  return nullptr;
}

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void write_file(const fs::path& file, const std::string& content) {
  std::ofstream(file, std::ios::binary) << content;
}

std::string hash_of(const std::string& content) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(content.data()), content.size(), digest);
  std::string text;
  for (int i = 0; i < 12; ++i) {
    char pair[3];
    std::snprintf(pair, sizeof pair, "%02x", digest[i]);
    text += pair;
  }
  return text;
}

std::string gzip(const std::string& plain) {
  z_stream z{};
  if (deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK) std::abort();
  std::string out(deflateBound(&z, plain.size()), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  z.avail_in = static_cast<uInt>(plain.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  if (deflate(&z, Z_FINISH) != Z_STREAM_END) std::abort();
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

std::string brotli(const std::string& plain) {
  size_t size = BrotliEncoderMaxCompressedSize(plain.size());
  std::string out(size, '\0');
  if (!BrotliEncoderCompress(BROTLI_MAX_QUALITY, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_GENERIC, plain.size(),
                             reinterpret_cast<const uint8_t*>(plain.data()), &size,
                             reinterpret_cast<uint8_t*>(out.data())))
    std::abort();
  out.resize(size);
  return out;
}

/// Bundlers write `name-HASH.ext` with at least eight characters of hash under /assets.
bool has_hashed_name(const std::string& path) {
  if (!path.starts_with("/assets/")) return false;
  const std::string stem = fs::path(path).stem().string();
  const size_t dash = stem.size() >= 9 ? stem.size() - 9 : std::string::npos;
  return dash != std::string::npos && (stem[dash] == '-' || stem[dash] == '.');
}

size_t keep_if_smaller(const fs::path& file, size_t plain, std::string (*compress)(const std::string&),
                       const std::string& content) {
  if (!fs::exists(file)) write_file(file, compress(content));
  const size_t size = fs::file_size(file);
  return size < plain * 95 / 100 ? size : 0;
}

Row embed(const fs::path& root, const fs::path& file, const Type& type, const fs::path& out) {
  const std::string content = read_file(file);
  Row row;
  row.path = "/" + fs::relative(file, root).generic_string();
  row.hash = hash_of(content);
  row.type = type.name;
  row.immutable = has_hashed_name(row.path);
  row.plain = content.size();
  if (!fs::exists(out / row.hash)) write_file(out / row.hash, content);
  if (type.compressible && content.size() > 200) {
    row.gzip = keep_if_smaller(out / (row.hash + ".gz"), row.plain, gzip, content);
    row.brotli = keep_if_smaller(out / (row.hash + ".br"), row.plain, brotli, content);
  }
  return row;
}

std::string symbol(const std::string& hash, const char* form) { return "huitang_page_" + hash + form; }

std::string generate(const std::vector<Row>& rows, const fs::path& out) {
  std::string blobs, table;
  std::vector<std::string> done;
  for (const Row& row : rows) {
    auto blob = [&](const char* form, const char* suffix, size_t size) -> std::string {
      if (size == 0) return "{}";
      const std::string name = symbol(row.hash, form);
      if (std::ranges::find(done, name) == done.end()) {
        done.push_back(name);
        blobs += "extern \"C\" const unsigned char " + name + "[];\n__asm__(\".section .rodata\\n.global " +
                 name + "\\n" + name + ":\\n.incbin \\\"" + (out / (row.hash + suffix)).string() +
                 "\\\"\\n.byte 0\\n.previous\\n\");\n";
      }
      return "{" + name + ", " + std::to_string(size) + "}";
    };
    const std::string plain = blob("", "", row.plain), gz = blob("_gz", ".gz", row.gzip);
    const std::string br = blob("_br", ".br", row.brotli);
    table += "    {\"" + row.path + "\", \"" + row.type + "\", \"\\\"" + row.hash + "\\\"\", " +
             (row.immutable ? "true" : "false") + ", " + plain + ", " + gz + ", " + br + "},\n";
  }
  std::string text = "// Made by embed_pages; not to be edited.\n#include \"api/page_table.h\"\n\n" + blobs +
                     "\nnamespace huitang::api {\nPageTable PageTable::embedded() {\n";
  if (rows.empty()) return text + "  return PageTable({});\n}\n}  // namespace huitang::api\n";
  return text + "  static const Page pages[] = {\n" + table +
         "  };\n  return PageTable(pages);\n}\n}  // namespace huitang::api\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: embed_pages DIST_FOLDER OUTPUT_FOLDER\n", stderr), 2;
  const fs::path root = argv[1], out = fs::absolute(argv[2]);
  fs::create_directories(out);
  std::vector<Row> rows;
  if (fs::is_directory(root))
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
      if (!entry.is_regular_file()) continue;
      const Type* type = find_type(entry.path());
      if (type != nullptr) rows.push_back(embed(root, entry.path(), *type, out));
    }
  std::ranges::sort(rows, {}, &Row::path);
  const std::string text = generate(rows, out);
  if (read_file(out / "pages.cpp") != text) write_file(out / "pages.cpp", text);
  return 0;
}
