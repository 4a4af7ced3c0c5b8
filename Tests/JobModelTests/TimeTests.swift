import JobModel
import Testing

@Suite("Timestamps")
struct TimestampTests {
  @Test(
    "are written as ISO 8601 in UTC with milliseconds",
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"),
      (1, "1970-01-01T00:00:00.001Z"),
      (999, "1970-01-01T00:00:00.999Z"),
      (-1, "1969-12-31T23:59:59.999Z"),
      (-1000, "1969-12-31T23:59:59.000Z"),
      (-1001, "1969-12-31T23:59:58.999Z"),
      (951_782_400_000, "2000-02-29T00:00:00.000Z"),
      (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
      (1_709_251_200_000, "2024-03-01T00:00:00.000Z"),
      (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
      (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
      (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
      (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
      (-62_167_219_200_001, "-0001-12-31T23:59:59.999Z"),
    ] as [(Int64, String)])
  func iso8601(milliseconds: Int64, text: String) {
    #expect(Timestamp(milliseconds: milliseconds).iso8601 == text)
  }

  @Test("have a text whatever their value")
  func extremes() {
    #expect(Timestamp(milliseconds: .max).iso8601.hasSuffix("Z"))
    #expect(Timestamp(milliseconds: .min).iso8601.hasPrefix("-"))
  }

  @Test("move by durations, and stick at the ends of the range")
  func arithmetic() {
    let time = Timestamp(milliseconds: 1000)
    #expect(time + .milliseconds(1) == Timestamp(milliseconds: 1001))
    #expect(time - .seconds(2) == Timestamp(milliseconds: -1000))
    #expect(Timestamp(milliseconds: .max) + .milliseconds(1) == Timestamp(milliseconds: .max))
    #expect(Timestamp(milliseconds: .min) + .milliseconds(-1) == Timestamp(milliseconds: .min))
    #expect(Timestamp(milliseconds: .min) - .milliseconds(1) == Timestamp(milliseconds: .min))
    #expect(Timestamp(milliseconds: .max) - .milliseconds(-1) == Timestamp(milliseconds: .max))
    #expect(Timestamp(milliseconds: -1) + .seconds(Int64.max) == Timestamp(milliseconds: .max - 1))
    #expect(time + .seconds(Int64.max) == Timestamp(milliseconds: .max))
  }

  @Test("are apart by a duration that sticks at the ends of the range too")
  func difference() {
    #expect(Timestamp(milliseconds: 1500) - Timestamp(milliseconds: 500) == .seconds(1))
    #expect(Timestamp(milliseconds: 500) - Timestamp(milliseconds: 1500) == .seconds(-1))
    #expect(Timestamp(milliseconds: .max) - Timestamp(milliseconds: -1) == .milliseconds(Int64.max))
    #expect(Timestamp(milliseconds: .min) - Timestamp(milliseconds: 1) == .milliseconds(Int64.min))
  }

  @Test("are ordered, earlier first")
  func order() {
    #expect(Timestamp(milliseconds: -1) < Timestamp(milliseconds: 0))
    #expect(!(Timestamp(milliseconds: 0) < Timestamp(milliseconds: 0)))
  }
}

@Suite("Durations in milliseconds")
struct DurationTests {
  @Test(
    "are rounded towards zero",
    arguments: [
      (.zero, 0), (.microseconds(999), 0), (.microseconds(-999), 0), (.milliseconds(1), 1),
      (.microseconds(1999), 1), (.microseconds(-1999), -1), (.seconds(-1) - .nanoseconds(1), -1000),
      (.seconds(2), 2000), (.milliseconds(-1500), -1500),
    ] as [(Duration, Int64)])
  func rounding(duration: Duration, milliseconds: Int64) {
    #expect(duration.milliseconds == milliseconds)
  }

  @Test("stick at the ends of the range")
  func clamping() {
    #expect(Duration.seconds(Int64.max).milliseconds == .max)
    #expect(Duration.seconds(Int64.min).milliseconds == .min)
    #expect(Duration.milliseconds(Int64.max).milliseconds == .max)
    #expect(Duration.milliseconds(Int64.min).milliseconds == .min)
    #expect((Duration.milliseconds(Int64.max) + .milliseconds(1)).milliseconds == .max)
    #expect((Duration.milliseconds(Int64.min) - .milliseconds(1)).milliseconds == .min)
  }
}
