# Indexes and searches on CPUs; without PyTorch, which training and GPUs need, the image is below 1 GB.
#   docker build -t stsearch .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD/photos:/photos" stsearch index /photos
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD/photos:/photos" stsearch search coffee
FROM python:3.12-slim
WORKDIR /src
COPY requirements-search.txt .
RUN pip install --no-cache-dir --requirement requirements-search.txt
COPY . .
RUN pip install --no-cache-dir --no-deps .
# The list of galleries of this container; the galleries lie beside their photographs.
ENV XDG_DATA_HOME=/tmp
WORKDIR /photos
ENTRYPOINT ["stsearch"]
CMD ["--help"]
