import Testing

@testable import SQLiteJobStore

@Suite struct RankedSetTests {
  @Test(arguments: [1, 2, 3] as [UInt64])
  func `agrees with a sorted array`(_ seed: UInt64) {
    var random = SplitMix(state: seed)
    var set = RankedSet<Int>()
    var array: [Int] = []
    // First it grows, then it shrinks, across many chunks.
    for step in 0..<12_000 {
      let element = Int.random(in: 0..<6_000, using: &random)
      let index = array.firstIndex { $0 >= element } ?? array.count
      let isThere = index < array.count && array[index] == element
      if Int.random(in: 0..<10, using: &random) < (step < 6_000 ? 8 : 2) {
        let isNew = set.insert(element)
        #expect(isNew == !isThere)
        if !isThere { array.insert(element, at: index) }
      } else {
        let wasThere = set.remove(element)
        #expect(wasThere == isThere)
        if isThere { array.remove(at: index) }
      }
      let probe = Int.random(in: 0..<6_000, using: &random)
      #expect(set.rank(of: probe) == array.firstIndex(of: probe))
      #expect(set.count == array.count)
    }
    #expect(array.count > 500)
    let removed = array.count { set.remove($0) }
    #expect(removed == array.count)
    #expect(set.count == 0)
  }

  @Test(arguments: [0, 1, 511, 512, 513, 5_000])
  func `a set made of sorted elements knows their ranks`(_ count: Int) {
    var set = RankedSet(sorted: (0..<count).map { 2 * $0 })
    for index in 0..<count { #expect(set.rank(of: 2 * index) == index) }
    #expect(set.rank(of: 1) == nil)
    set.insert(2 * count + 1)
    #expect(set.rank(of: 2 * count + 1) == set.count - 1)
  }

  @Test func `a queue that is filled at its end and emptied from its front stays in order`() {
    var set = RankedSet<Int>()
    for element in 0..<10_000 {
      set.insert(element)
      if element >= 2_000 { set.remove(element - 2_000) }
    }
    #expect(set.count == 2_000)
    #expect(set.rank(of: 8_000) == 0)
    #expect(set.rank(of: 9_999) == 1_999)
  }
}

/// A random sequence that is the same every time.
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
