// swift-tools-version: 6.2
import PackageDescription

/// CI sets JOBBROKER_STRICT=1, as for the main package.
let strict: [SwiftSetting] =
  Context.environment["JOBBROKER_STRICT"] == "1" ? [.treatAllWarnings(as: .error)] : []

// No dependencies, so that it builds in seconds and measures any build of the broker from outside.
let package = Package(
  name: "Benchmarks",
  targets: [
    .systemLibrary(name: "CSystem", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .executableTarget(name: "peers", dependencies: ["CSystem"], swiftSettings: strict),
  ]
)
