#include "media/tone.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

namespace huitang::media {

namespace {
constexpr double kFullScale = 32767;
constexpr double kAmplitude = 0.2512;  // -12 dBFS
constexpr double kFloorDb = -120;
constexpr double kGainStep = 1.0 / (kSampleRate / 1000.0);  // one millisecond from silence to full level
constexpr size_t kWindow = kSampleRate / 10;

double to_db(double amplitude) { return amplitude > 1e-6 ? 20 * std::log10(amplitude) : kFloorDb; }
}  // namespace

ToneGenerator::ToneGenerator(double hertz) : step_(2 * std::numbers::pi * hertz / kSampleRate) {}

void ToneGenerator::generate(std::span<int16_t> out, bool audible) {
  const double target = audible ? 1 : 0;
  for (int16_t& sample : out) {
    gain_ += std::clamp(target - gain_, -kGainStep, kGainStep);
    sample = static_cast<int16_t>(std::lround(kFullScale * kAmplitude * gain_ * std::sin(phase_)));
    phase_ = std::fmod(phase_ + step_, 2 * std::numbers::pi);
  }
}

double tone_level_db(std::span<const int16_t> samples, double hertz) {
  if (samples.empty()) return kFloorDb;
  const auto n = static_cast<double>(samples.size());
  const double coefficient = 2 * std::cos(2 * std::numbers::pi * hertz / kSampleRate);
  double s1 = 0;
  double s2 = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    // A Hann window keeps a strong neighbour from leaking in.
    const double w = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * static_cast<double>(i) / n);
    const double s = samples[i] / kFullScale * w + coefficient * s1 - s2;
    s2 = std::exchange(s1, s);
  }
  const double power = s1 * s1 + s2 * s2 - coefficient * s1 * s2;
  return std::max(kFloorDb, to_db(4 * std::sqrt(std::max(power, 0.0)) / n));
}

double level_db(std::span<const int16_t> samples) {
  if (samples.empty()) return kFloorDb;
  double sum = 0;
  for (const int16_t s : samples) sum += s / kFullScale * (s / kFullScale);
  return std::max(kFloorDb, to_db(std::sqrt(2 * sum / static_cast<double>(samples.size()))));
}

ToneDetector::ToneDetector(std::vector<double> candidates, double threshold_db)
    : candidates_(std::move(candidates)), threshold_db_(threshold_db) {
  window_.reserve(kWindow);
}

bool ToneDetector::handle_samples(std::span<const int16_t> samples) {
  bool completed = false;
  while (!samples.empty()) {
    const size_t n = std::min(samples.size(), kWindow - window_.size());
    window_.insert(window_.end(), samples.begin(), samples.begin() + static_cast<ptrdiff_t>(n));
    samples = samples.subspan(n);
    if (window_.size() < kWindow) break;
    heard_.clear();
    for (const double hz : candidates_) {
      if (tone_level_db(window_, hz) >= threshold_db_) heard_.push_back(hz);
    }
    window_.clear();
    completed = true;
  }
  return completed;
}

}  // namespace huitang::media
