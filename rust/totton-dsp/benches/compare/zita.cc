// zita-convolver over raw 32-bit floating point, our own driver.
//
//   zita poly|stuffed QUANTUM MINPART MAXPART TAPS.f32 IN.f32 OUT.f32 RATIO
//
// poly: the polyphase branches as 2 inputs times 2 * RATIO outputs at the input
// rate, QUANTUM in input frames. stuffed: RATIO - 1 zeros after every sample, 2
// inputs and 2 outputs at the output rate, QUANTUM in output frames.
//
// Prints the CPU seconds of all threads for the convolution alone. Stereo in and
// out, interleaved.

#include <ctime>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <zita-convolver.h>

static std::vector<float> read_all(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) { perror(path); exit(1); }
    fseek(file, 0, SEEK_END);
    std::vector<float> data(ftell(file) / sizeof(float));
    rewind(file);
    if (fread(data.data(), sizeof(float), data.size(), file) != data.size()) {
        perror(path);
        exit(1);
    }
    fclose(file);
    return data;
}

static double cpu_seconds() {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

static void check(int error, const char *what) {
    if (error) {
        fprintf(stderr, "zita: %s failed with %d\n", what, error);
        exit(1);
    }
}

int main(int argc, char **argv) {
    if (argc != 9) {
        fprintf(stderr, "zita poly|stuffed QUANTUM MINPART MAXPART TAPS IN OUT RATIO\n");
        return 2;
    }
    const bool poly = std::string(argv[1]) == "poly";
    const unsigned quantum = atoi(argv[2]), minpart = atoi(argv[3]), maxpart = atoi(argv[4]);
    std::vector<float> taps = read_all(argv[5]), in = read_all(argv[6]);
    const unsigned ratio = atoi(argv[8]), phases = poly ? ratio : 1;
    const unsigned long branch = (taps.size() + phases - 1) / phases;

    // FFTW_MEASURE and vector code: zita's fastest settings.
    Convproc conv;
    conv.set_options(Convproc::OPT_FFTW_MEASURE | Convproc::OPT_VECTOR_MODE);
    check(conv.configure(2, 2 * phases, branch, quantum, minpart, maxpart, 0.5f), "configure");
    for (unsigned channel = 0; channel < 2; channel++) {
        for (unsigned phase = 0; phase < phases; phase++) {
            std::vector<float> part;
            for (size_t n = phase; n < taps.size(); n += phases) part.push_back(taps[n]);
            check(conv.impdata_create(channel, channel * phases + phase, 1, part.data(), 0,
                                      part.size()), "impdata_create");
        }
    }
    check(conv.start_process(0, 0), "start_process");

    const size_t frames = in.size() / 2;
    const size_t steps = poly ? frames / quantum : frames * ratio / quantum;
    const size_t length = quantum * phases * 2;
    std::vector<float> block(length), out(steps * length);
    // The threads of the longer partitions are waited for: nothing is late. What
    // is counted is the way from an input block to an output block; keeping all
    // the output for the check is not.
    double spent = 0;
    for (size_t step = 0; step < steps; step++) {
        const double start = cpu_seconds();
        for (unsigned channel = 0; channel < 2; channel++) {
            float *to = conv.inpdata(channel);
            for (unsigned n = 0; n < quantum; n++) {
                const size_t at = step * quantum + n;
                if (poly) to[n] = in[at * 2 + channel];
                else to[n] = at % ratio ? 0.0f : in[at / ratio * 2 + channel];
            }
        }
        check(conv.process(true), "process");
        for (unsigned channel = 0; channel < 2; channel++) {
            for (unsigned phase = 0; phase < phases; phase++) {
                const float *from = conv.outdata(channel * phases + phase);
                float *to = &block[phase * 2 + channel];
                for (unsigned n = 0; n < quantum; n++) to[n * phases * 2] = from[n];
            }
        }
        spent += cpu_seconds() - start;
        memcpy(&out[step * length], block.data(), length * sizeof(float));
    }
    printf("%.6f\n", spent);
    conv.stop_process();
    conv.cleanup();

    FILE *file = fopen(argv[7], "wb");
    if (!file || fwrite(out.data(), sizeof(float), out.size(), file) != out.size()) {
        perror(argv[7]);
        return 1;
    }
    fclose(file);
    return 0;
}
