import Glibc

@main
enum Main {
  static func main() {
    // Taken over before anything is started.
    _ = Interrupt.descriptor
    do {
      let arguments = Array(CommandLine.arguments.dropFirst())
      if arguments.first == OriginalClient.argument {
        return try OriginalClient.run(Array(arguments.dropFirst()))
      }
      if arguments.contains("--help") { return print(Options.usage) }
      try run(Options(arguments))
    } catch Interrupt.received {
      exit(130)
    } catch {
      StandardError.line("\(error)")
      exit(1)
    }
  }

  private static func run(_ options: Options) throws {
    let workspace = try Workspace(in: options.folder)
    defer { workspace.remove() }
    let machine = try Machine(folder: workspace.path)
    let report = Report(isJSON: options.isJSON)
    report.add(machine)
    let suite = try Suite(options: options, workspace: workspace, report: report)
    for measure in options.measures {
      switch measure {
      case .lifecycles: try suite.lifecycles()
      case .relaxed: try suite.relaxed()
      case .wakeUp: try suite.wakeUp()
      case .position: try suite.position()
      }
    }
    report.add(try Machine(folder: workspace.path))
    report.add(others: machine.others)
  }
}
