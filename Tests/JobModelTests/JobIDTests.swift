import JobModel
import Testing

@Suite("Job ids")
struct JobIDTests {
  private let text = "018f4e5a-7b3c-7def-8123-456789abcdef"

  @Test("are written as they are read, in lower case with dashes")
  func roundTrip() throws {
    let id = try #require(JobID(text))
    #expect(id.description == text)
    #expect(id.high == 0x018F_4E5A_7B3C_7DEF)
    #expect(id.low == 0x8123_4567_89AB_CDEF)
    #expect(id.hexadecimal == "018f4e5a7b3c7def8123456789abcdef")
  }

  @Test("are read in either case, with or without dashes")
  func lenientReading() {
    #expect(JobID(text.uppercased()) == JobID(text))
    #expect(JobID(text.replacing("-", with: "")) == JobID(text))
    #expect(JobID(text.dropFirst(0)) == JobID(text))
  }

  @Test(
    "are refused when a digit is missing, one too many, or none",
    arguments: [
      "", "-", "018f4e5a-7b3c-7def-8123-456789abcde", "018f4e5a-7b3c-7def-8123-456789abcdef0",
      "018f4e5a-7b3c-7def-8123-456789abcdeg", "018f4e5a 7b3c-7def-8123-456789abcdef",
      "018f4e5a-7b3c-7def-8123-456789abcdé", "{018f4e5a-7b3c-7def-8123-456789abcdef}",
      "0x18f4e5a-7b3c-7def-8123-456789abcde",
    ])
  func refused(text: String) {
    #expect(JobID(text) == nil)
  }

  @Test(
    "keep all their bits", arguments: [(0, 0), (UInt64.max, UInt64.max), (1, 0), (0, 1), (1 << 63, 1 << 63)])
  func extremes(high: UInt64, low: UInt64) {
    let id = JobID(high: high, low: low)
    #expect(JobID(id.description) == id)
    #expect(id.description.count == 36)
    #expect(id.withBytes { JobID(bytes: $0) } == id)
  }

  @Test("are 16 bytes, the first one first")
  func bytes() throws {
    let bytes: [UInt8] = Array(1...16)
    let id = try #require(bytes.withUnsafeBytes { JobID(bytes: $0) })
    #expect(id.description == "01020304-0506-0708-090a-0b0c0d0e0f10")
    #expect(id.withBytes { Array($0) } == bytes)
    #expect([UInt8](repeating: 0, count: 15).withUnsafeBytes { JobID(bytes: $0) } == nil)
    #expect([UInt8](repeating: 0, count: 17).withUnsafeBytes { JobID(bytes: $0) } == nil)
  }

  @Test("are ordered as their text is")
  func order() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<1000 {
      let a = JobID(high: random.next(upperBound: 3), low: random.next())
      let b = JobID(high: random.next(upperBound: 3), low: random.next())
      #expect((a < b) == (a.description < b.description))
    }
  }
}

@Suite("Time-ordered job ids (RFC 9562 §5.7)")
struct TimeOrderedIDTests {
  @Test("hold the millisecond, the version, the variant and all random bits")
  func layout() {
    let time = Timestamp(milliseconds: 0x0123_4567_89AB)
    let ones = JobID.timeOrdered(at: time, random: (.max, .max))
    #expect(ones.description == "01234567-89ab-7fff-bfff-ffffffffffff")
    let zeros = JobID.timeOrdered(at: time, random: (0, 0))
    #expect(zeros.description == "01234567-89ab-7000-8000-000000000000")
  }

  @Test("are those of the example in RFC 9562, appendix A.6")
  func example() {
    let id = JobID.timeOrdered(
      at: Timestamp(milliseconds: 0x017F_22E2_79B0), random: (0xCC3, 0x18C4_DC0C_0C07_398F))
    #expect(id.description == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
  }

  @Test("are ordered as they were made, whatever their random part")
  func order() {
    let earlier = JobID.timeOrdered(at: Timestamp(milliseconds: 999), random: (.max, .max))
    let later = JobID.timeOrdered(at: Timestamp(milliseconds: 1000), random: (0, 0))
    #expect(earlier < later)
  }

  @Test("stay well formed when the clock is before 1970 or past the year 10889")
  func clockOutOfRange() {
    for milliseconds in [Int64.min, -1, 1 << 48, Int64.max] {
      let id = JobID.timeOrdered(at: Timestamp(milliseconds: milliseconds), random: (0, 0))
      #expect(id.high & 0xF000 == 0x7000)
      #expect(id.low >> 62 == 0b10)
    }
  }

  @Test("differ, and carry the present time")
  func fresh() {
    let before = Timestamp.now
    let ids = (0..<1000).map { _ in JobID.timeOrdered() }
    let after = Timestamp.now
    #expect(Set(ids).count == ids.count)
    #expect(
      ids.allSatisfy {
        let time = Int64($0.high >> 16)
        return before.milliseconds <= time && time <= after.milliseconds
      })
  }
}
