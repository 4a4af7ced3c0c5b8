/// The command line.
struct Options {
  var brokers: [(name: String, program: String)] = []
  var peers = Set(Options.peerNames)
  var measures = Measure.allCases
  var clients = [2, 16, 64]
  var rounds = 5
  var seconds = 1.0
  var warmUp = 0.3
  var backlog = 1_000_000
  var folder = "/tmp"
  var isJSON = false

  /// What can be measured.
  enum Measure: String, CaseIterable {
    case lifecycles, relaxed
    case wakeUp = "wake-up"
    case position
  }

  static let peerNames = ["beanstalkd", "redis-lists", "redis-streams", "postgresql", "original"]

  static let usage = """
    usage: peers [--broker [NAME=]PATH]... [--peers LIST|none] [--measure LIST] [--clients 2,16,64]
                 [--rounds 5] [--seconds 1] [--warm-up 0.3] [--backlog 1000000] [--directory /tmp] [--json]

      --broker     a jobbrokerd to measure (default .build/release/jobbrokerd); the first is what the ratios are of
      --peers      of \(peerNames.joined(separator: ", ")); default all
      --measure    of \(Measure.allCases.map(\.rawValue).joined(separator: ", ")); default all
      --seconds    how long a run makes jobs; --warm-up before it is discarded
      --directory  where the stores go for the time of the run: on a real disk
      --json       one object a line
    """

  /// - Parameter arguments: without the program's name.
  init(_ arguments: [String]) throws {
    var rest = arguments[...]
    while let option = rest.popFirst() {
      if option == "--json" {
        isJSON = true
        continue
      }
      guard let value = rest.popFirst() else { throw Failure("\(option): unknown, or its value is missing") }
      try take(option, value)
    }
    if brokers.isEmpty { brokers = [("jobbroker", ".build/release/jobbrokerd")] }
    guard Set(brokers.map(\.name) + Options.peerNames).count == brokers.count + Options.peerNames.count else {
      throw Failure("--broker: give each a name of its own, as NAME=PATH")
    }
  }

  private mutating func take(_ option: String, _ value: String) throws {
    let list = value.split(separator: ",").map(String.init)
    switch option {
    case "--broker":
      let parts = value.split(separator: "=", maxSplits: 1).map(String.init)
      brokers.append(parts.count == 2 ? (parts[0], parts[1]) : ("jobbroker", value))
    case "--peers":
      let unknown = list.first { !Options.peerNames.contains($0) && $0 != "none" && $0 != "all" }
      if let unknown { throw Failure("--peers: no peer \(unknown)") }
      peers = value == "all" ? peers : Set(list)
    case "--measure":
      measures = try list.map { name in
        guard let measure = Measure(rawValue: name) else { throw Failure("--measure: no \(name)") }
        return measure
      }
    case "--clients": clients = try list.map { try number($0, option, in: 2...10_000) }
    case "--rounds": rounds = try number(value, option, in: 1...1000)
    case "--seconds": seconds = try number(value, option, in: 0.01...3600)
    case "--warm-up": warmUp = try number(value, option, in: 0...3600)
    case "--backlog": backlog = try number(value, option, in: 1000...100_000_000)
    case "--directory": folder = value
    default: throw Failure("\(option): unknown")
    }
  }

  private func number<Value: LosslessStringConvertible & Comparable>(
    _ text: String, _ option: String, in range: ClosedRange<Value>
  ) throws -> Value {
    guard let value = Value(text), range.contains(value) else {
      throw Failure("\(option): \(text) is not between \(range.lowerBound) and \(range.upperBound)")
    }
    return value
  }
}
