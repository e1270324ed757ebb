// Reads each file as Node (`loadEnvFile`, or nothing at all: `environment`) or as npm's dotenv (its folder) does; the
// reader first, then the files. Leaves beside each file FILE.out, as `env -0` writes it, or FILE.err.
const fs = require('fs')
const [reader, ...files] = process.argv.slice(1)
const ambient = { ...process.env }

function read (file) {
  if (reader === 'environment') return process.env
  for (const name of Object.keys(process.env)) delete process.env[name]
  Object.assign(process.env, ambient)
  if (reader === 'loadEnvFile') {
    process.loadEnvFile(file)
    return process.env
  }
  const dotenv = require(reader)
  const { parsed, error } = dotenv.config({ path: file, processEnv: {}, quiet: true })
  if (error) throw error
  return parsed
}

for (const file of files) {
  try {
    const pairs = Object.entries(read(file)).map(([name, value]) => `${name}=${value}\0`)
    fs.writeFileSync(file + '.out', pairs.join(''))
  } catch (error) {
    fs.writeFileSync(file + '.err', String(error))
  }
}
