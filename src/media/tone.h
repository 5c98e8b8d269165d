// Tones of test participants: a sine at -12 dBFS, and finding out which of a set of frequencies sounds
// (Goertzel).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace huitang::media {

inline constexpr int kSampleRate = 48000;

class ToneGenerator {
 public:
  explicit ToneGenerator(double hertz);
  /// Goes on where the last call ended; silent when `audible` is false, without a jump of phase. Edges are
  /// softened over the block's first millisecond so that clicks do not blur the spectrum.
  void generate(std::span<int16_t> out, bool audible = true);

 private:
  double step_;
  double phase_ = 0;
  double gain_ = 0;
};

/// Power of one frequency in a block, relative to full scale (0 dBFS = a full-scale sine), in decibels; at
/// least -120.
double tone_level_db(std::span<const int16_t> samples, double hertz);
/// RMS of a block in dBFS of a full-scale sine; at least -120.
double level_db(std::span<const int16_t> samples);

/// Listens to a stream and says which candidates sound. The window of 100 ms separates frequencies 20 Hz
/// apart.
class ToneDetector {
 public:
  explicit ToneDetector(std::vector<double> candidates, double threshold_db = -35);
  /// True when a window was completed and heard() is new.
  bool handle_samples(std::span<const int16_t> samples);
  /// Candidates above the threshold in the last window, as given.
  const std::vector<double>& heard() const { return heard_; }

 private:
  std::vector<double> candidates_;
  double threshold_db_;
  std::vector<int16_t> window_;
  std::vector<double> heard_;
};

}  // namespace huitang::media
