# The app as a container: no root, nothing written but /data.
#   docker build -t emoviz . && docker run --rm -p 127.0.0.1:8501:8501 -v emoviz:/data emoviz
# SIZE=core leaves out PyTorch; SIZE=train (for Textures and training) brings it.
FROM python:3.12-slim
ARG SIZE=core
RUN useradd --create-home --uid 1000 emoviz && mkdir /data && chown emoviz /data
WORKDIR /app
COPY pyproject.toml setup.py requirements.txt requirements-lock.txt requirements-dev-lock.txt README.md LICENSE ./
COPY .streamlit .streamlit
COPY emoviz emoviz
COPY app.py ./
COPY pages pages
COPY checkpoints checkpoints
COPY sample_data sample_data
RUN awk '/^uv==/ { here = 1 } here { print } here && !/\\$/ { exit }' requirements-dev-lock.txt >uv.txt \
    && pip install --no-cache-dir --require-hashes -r uv.txt \
    && uv pip install --system --no-cache --compile-bytecode -c requirements-lock.txt \
        "$([ "$SIZE" = train ] && echo '.[train]' || echo '.')"
USER emoviz
ENV EMOVIZ_HOME=/data
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD \
    ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["emoviz", "app", "--port", "8501", "--no-browser", "--", "--server.address", "0.0.0.0"]
