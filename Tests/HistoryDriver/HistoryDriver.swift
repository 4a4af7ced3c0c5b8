import Foundation
import HistorySupport
import JobModel

/// A client process of the campaign of histories. `round N JOBS OPERATIONS SEED [stall]` on its standard input lets it
/// do that many random operations on the jobs of that round, in each of three tasks; it writes one line for each, then
/// `end`.
///
/// Asked to stall, it writes `stalls JOB ATTEMPT` when it has its first claim, and waits for the line `go` before it
/// completes that job: meanwhile it is stopped from outside until the claim is no longer in force.
@main
enum HistoryDriver {
  static func main() async {
    guard CommandLine.arguments.count == 3, let number = Int(CommandLine.arguments[2]) else {
      FileHandle.standardError.write(Data("usage: HistoryDriver SOCKET NUMBER\n".utf8))
      exit(2)
    }
    let (rounds, roundsIn) = AsyncStream.makeStream(of: [Substring].self)
    let (signals, signalsIn) = AsyncStream.makeStream(of: Void.self)
    Thread.detachNewThread {
      while let line = readLine() {
        let words = line.split(separator: " ")
        if words.first == "round" { roundsIn.yield(words) } else { signalsIn.yield() }
      }
      roundsIn.finish()
      signalsIn.finish()
    }
    for await words in rounds {
      guard words.count >= 5, let round = Int(words[1]), let jobs = Int(words[2]),
        let operations = Int(words[3]), let seed = UInt64(words[4])
      else { exit(2) }
      let load = Load(
        client: number, round: round, jobs: jobs, socket: CommandLine.arguments[1], waitsForBroker: true
      ) { record in
        guard let line = try? JSONEncoder().encode(record) else { preconditionFailure("a record is JSON") }
        write("record " + String(decoding: line, as: UTF8.self))
      }
      let isToStall = words.last == "stall"
      await load.run(tasks: 3, operations: operations, seed: seed, stalling: isToStall ? stall : nil)
      write("end")
      @Sendable func stall(_ claim: ClaimToken) async {
        write("stalls \(claim.id) \(claim.attempt)")
        _ = await signals.first { _ in true }
      }
    }
  }

  /// Writes one line, at once: fewer bytes than a pipe takes in one piece.
  private static func write(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
  }
}
